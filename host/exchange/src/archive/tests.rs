//! A backup comes back byte for byte, or it is said which part of it is damaged.

use std::{collections::BTreeMap, fs, path::Path};

use proptest::prelude::*;

use super::*;

fn manifest() -> Manifest {
    Manifest {
        format: FORMAT,
        made_by: "test".to_owned(),
        made_at: jiff::Timestamp::UNIX_EPOCH,
        workspace: "main".to_owned(),
        database: "sqlite".to_owned(),
        tables: BTreeMap::from([("contact".to_owned(), 2)]),
        files: vec![],
    }
}

/// A backup of a database and a component.
fn backup(folder: &Path) -> PathBuf {
    let noise: Vec<u8> = (0_u32..4_000).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let parts = [("workspace.db", noise.clone()), ("plugins/ab.wasm", noise)].map(|(name, bytes)| {
        let path = folder.join(name.replace('/', "-"));
        fs::write(&path, bytes).unwrap();
        Part { name: name.to_owned(), path }
    });
    let path = folder.join("backup.zip");
    write(&path, manifest(), &parts).unwrap();
    path
}

#[test]
fn what_was_put_in_comes_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = backup(folder.path());
    let mut archive = Archive::open(&path).unwrap();
    assert_eq!(archive.manifest().tables["contact"], 2);
    let out = folder.path().join("out");
    archive.extract(&out).unwrap();
    assert_eq!(fs::read(out.join("workspace.db")).unwrap().len(), 4_000);
    assert_eq!(
        fs::read(out.join("plugins/ab.wasm")).unwrap(),
        fs::read(folder.path().join("plugins-ab.wasm")).unwrap()
    );
}

#[test]
fn the_damaged_part_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = backup(folder.path());
    let whole = fs::read(&path).unwrap();
    let find = |text: &str| whole.windows(text.len()).position(|window| window == text.as_bytes()).unwrap();
    let told = |position: usize| {
        let mut bytes = whole.clone();
        bytes[position] ^= 1;
        fs::write(&path, bytes).unwrap();
        Archive::open(&path).unwrap_err().to_string().replace(path.to_str().unwrap(), "FILE")
    };
    let told = [
        find("workspace.db") + 300,
        find("plugins/ab.wasm") + 200,
        find("manifest.json") + 60,
        whole.len() - 90,
        whole.len() - 1,
    ]
    .map(told)
    .join("\n");
    insta::assert_snapshot!(told, @r"
    FILE is damaged: workspace.db is not as it was when the backup was made; nothing was restored
    FILE is damaged: plugins/ab.wasm is not as it was when the backup was made; nothing was restored
    FILE is damaged: manifest.json is not as it was when the backup was made; nothing was restored
    FILE is damaged: its list of files is not as it was when the backup was made; nothing was restored
    FILE is damaged: what stands between its files, or its seal, is not as it was when the backup was made; nothing was restored
    ");
}

#[test]
fn other_files_and_cut_ones_are_no_backups() {
    let folder = tempfile::tempdir().unwrap();
    let path = backup(folder.path());
    let whole = fs::read(&path).unwrap();
    for bytes in [b"".to_vec(), b"PK".to_vec(), whole[..whole.len() - 1].to_vec(), [whole.clone(), vec![0]].concat()] {
        fs::write(&path, bytes).unwrap();
        assert!(matches!(Archive::open(&path), Err(ArchiveError::NotABackup(_) | ArchiveError::Damaged { .. })));
    }
}

#[test]
fn a_later_format_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backup.zip");
    write(&path, Manifest { format: 2, ..manifest() }, &[]).unwrap();
    assert!(matches!(Archive::open(&path), Err(ArchiveError::Newer(2))));
}

#[test]
fn no_name_leads_out_of_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let (path, file) = (folder.path().join("backup.zip"), folder.path().join("x"));
    fs::write(&file, "x").unwrap();
    for name in ["../x", "/x", "a/../x", "a/b/c", ".hidden", "a\\b"] {
        write(&path, manifest(), &[Part { name: name.to_owned(), path: file.clone() }]).unwrap();
        let mut archive = Archive::open(&path).unwrap();
        assert!(archive.extract(&folder.path().join("out")).is_err(), "{name}");
    }
}

/// Puts the seal on again, as it would be on a backup that was made so.
fn reseal(path: &Path) {
    let mut file = fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    super::write::seal(&mut file).unwrap();
}

/// What the tests below rely on: without the seal, and with checksums that fit, flipped bits come through.
#[test]
fn without_the_seal_some_flipped_bits_go_unseen_and_without_the_checksums_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = backup(folder.path());
    let whole = fs::read(&path).unwrap();
    let (mut unsealed, mut caught) = (0, 0);
    for position in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[position] ^= 1;
        fs::write(&path, bytes).unwrap();
        reseal(&path);
        match Archive::open(&path).and_then(|mut archive| archive.extract(&folder.path().join("out"))) {
            Ok(()) => unsealed += 1,
            Err(_) => caught += 1,
        }
    }
    assert!(unsealed > 50 && caught > 1_000, "{unsealed} unseen, {caught} caught by the checksums of the files");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whichever bit is flipped, the backup is not taken.
    #[test]
    fn no_flipped_bit_goes_unseen(position in any::<prop::sample::Index>(), bit in 0_u32..8) {
        let folder = tempfile::tempdir().unwrap();
        let path = backup(folder.path());
        let mut bytes = fs::read(&path).unwrap();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        fs::write(&path, bytes).unwrap();
        prop_assert!(Archive::open(&path).is_err(), "byte {position}");
    }
}
