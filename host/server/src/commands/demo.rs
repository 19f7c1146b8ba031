//! `pergola demo`: builds the packs, fills a believable salon, serves it.

mod names;
mod salon;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use pergola_model::Role;
use pergola_service::ports::store::StoredUser;

use super::{prepare, serve};
use crate::{
    cli::DemoArgs,
    data::DataDir,
    say::{self, Progress, problem},
    wire::{self, Opened, PluginFolder},
};

/// The packs of the demo, required ones first.
const PACKS: [&str; 2] = ["booking", "salon"];
const LOGIN: &str = "owner@demo.test";
/// Only ever on 127.0.0.1, with invented clients.
const PASSWORD: &str = "pergola-demo";

pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    if args.reset {
        if args.data.place.database.is_some() {
            return Err(problem(
                "--reset throws away a directory, not a database: drop the schema pergola_main there yourself",
            ));
        }
        DataDir::reset(&args.data)?;
    }
    let data = DataDir::open(&args.data)?;
    let config = prepare(&data, true)?;
    let lock = data.lock()?;
    let built = build_packs()?;
    let opened = wire::open(&data, &config).await?;
    install_packs(&data, &opened, built).await?;
    salon::fill(&opened.workspace).await.context("cannot fill the demo salon")?;
    put_login(&opened).await?;
    let sample = salon::sample(&opened.workspace).await?;
    opened.close().await;
    drop(lock);
    let only = data.with_workspace(data.workspace());
    serve::serve(&only, &config, args.listen, |url, token| tell(url, token, &sample)).await
}

/// The plugins' folder of the checkout that this program was built from.
fn plugins_folder() -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins");
    folder.canonicalize().map_err(|_| {
        problem(format!(
            "the plugins' sources are not at {}; run the demo from the checkout that it was built in",
            folder.display()
        ))
    })
}

fn build_packs() -> anyhow::Result<Vec<(PathBuf, pergola_build::Built)>> {
    let folder = plugins_folder()?;
    let dirs: Vec<PathBuf> = PACKS.iter().map(|pack| folder.join(pack)).collect();
    let mut progress = Progress::new("building the booking and salon packs", None);
    let paths: Vec<&Path> = dirs.iter().map(PathBuf::as_path).collect();
    let built = pergola_build::build_plugins(&paths, &mut |line| progress.detail(line))
        .map_err(|error| problem(error.to_string()))?;
    progress.done();
    Ok(dirs.into_iter().zip(built).collect())
}

async fn install_packs(
    data: &DataDir,
    opened: &Opened,
    built: Vec<(PathBuf, pergola_build::Built)>,
) -> anyhow::Result<()> {
    for (dir, built) in built {
        let text = fs::read_to_string(dir.join("plugin.toml"))?;
        let own = pergola_manifest::parse(&text, "plugin.toml").map_err(|error| problem(error.to_string()))?;
        let (manifest, manifest_text) = wire::read_manifest(&dir, &opened.other_manifests(Some(&own.id)))?;
        let folder = PluginFolder { manifest, manifest_text, component: built.component };
        if opened.install(data, folder, false).await?.is_some() {
            say::note(format_args!("installed {} {}", own.id, own.version));
        }
    }
    Ok(())
}

async fn put_login(opened: &Opened) -> anyhow::Result<()> {
    if opened.workspace.find_user(LOGIN).await?.is_some() {
        return Ok(());
    }
    let password_hash = pergola_api::hash_password(PASSWORD)?;
    let user = StoredUser { email: LOGIN.to_owned(), password_hash, role: Role::Owner };
    Ok(opened.workspace.put_user(&user).await?)
}

fn tell(url: &str, token: &str, sample: &salon::Sample) {
    let auth = format!("-H 'Authorization: Bearer {token}'");
    say::line(format_args!("login {LOGIN} password {PASSWORD}"));
    say::line("try");
    say::line(format_args!("  curl -s {auth} '{url}/api/v1/contacts?limit=3&count=true'"));
    say::line(format_args!(
        "  curl -s {auth} -G {url}/api/v1/booking/appointments --data-urlencode \"filter=status == 'booked' && starts_at > now\" -d sort=starts_at -d limit=5"
    ));
    say::line(format_args!("  curl -s '{url}/p/booking/slots?service={}&master={}'", sample.service, sample.master));
    say::line(format_args!(
        "  curl -s -X POST {url}/p/booking/book -H 'Content-Type: application/json' -d '{}'",
        serde_json::json!({
            "contact": {"name": "Vera Orlova", "phone": "8 912 345-67-89"},
            "visits": [{"service": sample.service, "master": sample.master, "starts_at": sample.starts_at}],
        })
    ));
    say::line(format_args!("  curl -s {url}/api/v1/openapi.json"));
    say::line(format_args!("browse {url}/api/v1/docs"));
}
