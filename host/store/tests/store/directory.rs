//! The directory of workspaces, on both databases.

use std::sync::Arc;

use jiff::Timestamp;
use pergola_cluster::Cluster;
use pergola_model::Name;
use pergola_service::ports::store::Store as _;
use pergola_store::{
    Options, PostgresOptions, PostgresStore, SqliteStore,
    directory::{Directory, DirectoryError, DirectoryLimits, Entry, HostName, WorkspaceState, file_of, schema_of},
};
use tempfile::TempDir;

/// A directory and the databases beside it.
struct Place {
    folder: TempDir,
    url: Option<String>,
    directory: Directory,
}

impl Place {
    async fn in_files() -> Self {
        Self::new(None).await
    }

    async fn on_server() -> Self {
        let cluster = Cluster::shared().unwrap_or_else(|error| panic!("{error}"));
        Self::new(Some(cluster.new_url())).await
    }

    async fn new(url: Option<String>) -> Self {
        let folder = TempDir::new().unwrap();
        let directory = open(&folder, url.as_deref()).await;
        Self { folder, url, directory }
    }

    /// What another process has.
    async fn another(&self) -> Directory {
        open(&self.folder, self.url.as_deref()).await
    }

    /// Makes the database of a workspace.
    async fn make(&self, name: &str) {
        match &self.url {
            None => {
                SqliteStore::open(&file_of(self.folder.path(), name), Options::default()).await.unwrap().close().await
            }
            Some(url) => {
                let (url, schema) = schema_of(url, name);
                PostgresStore::open(&url, &schema, PostgresOptions::default()).await.unwrap().close().await;
            }
        }
    }

    async fn entry(&self, workspace: &str) -> Entry {
        self.directory.find(&name(workspace)).await.unwrap().unwrap()
    }
}

async fn open(folder: &TempDir, url: Option<&str>) -> Directory {
    let limits = DirectoryLimits { workspaces_max: 3, hosts_max: 3 };
    match url {
        None => Directory::in_file(&folder.path().join("directory.db"), folder.path(), limits).await,
        Some(url) => Directory::on_server(url, limits).await,
    }
    .unwrap()
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn hosts(names: &[&str]) -> Vec<HostName> {
    names.iter().map(|name| HostName::new(name).unwrap()).collect()
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A refusal in words.
fn refusal<T>(result: Result<T, DirectoryError>) -> String {
    result.err().unwrap().to_string()
}

/// One test per case and database, so that a failure has a name.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {$(
        mod $case {
            #[tokio::test]
            async fn in_files() {
                super::cases::$case(&super::Place::in_files().await).await;
            }

            #[tokio::test]
            async fn on_a_server() {
                super::cases::$case(&super::Place::on_server().await).await;
            }
        }
    )+};
}

on_both! {
    workspaces_are_added_with_their_hosts_and_listed_by_name,
    what_cannot_be_added_is_refused_and_leaves_nothing,
    host_names_are_replaced_whole,
    only_a_suspended_workspace_is_removed,
    one_that_was_touched_meanwhile_is_not_put_to_sleep,
    a_hold_that_runs_out_makes_it_due,
    databases_are_found_measured_and_dropped,
    two_that_add_at_once_do_not_pass_the_limit,
}

mod cases {
    use super::*;

    pub(super) async fn workspaces_are_added_with_their_hosts_and_listed_by_name(place: &Place) {
        let directory = &place.directory;
        directory.insert(&name("salon"), &hosts(&["b.example", "a.example", "b.example"]), second(10)).await.unwrap();
        directory.insert(&name("gym"), &[], second(20)).await.unwrap();
        let listed = place.another().await.list().await.unwrap();
        let expected = |workspace: &str, names: &[&str], at: i64| Entry {
            name: name(workspace),
            state: WorkspaceState::Active,
            hosts: hosts(names),
            created_at: second(at),
            wake_at: second(at),
            held_until: None,
            touched: 0,
        };
        assert_eq!(listed, [expected("gym", &[], 20), expected("salon", &["a.example", "b.example"], 10)]);
        assert_eq!(directory.find(&name("none")).await.unwrap(), None);
    }

    pub(super) async fn what_cannot_be_added_is_refused_and_leaves_nothing(place: &Place) {
        let directory = &place.directory;
        directory.insert(&name("salon"), &hosts(&["a.example"]), second(1)).await.unwrap();
        let taken = directory.insert(&name("salon"), &[], second(1)).await;
        assert_eq!(refusal(taken), "there is a workspace salon already; take another name");
        let taken = directory.insert(&name("gym"), &hosts(&["b.example", "a.example"]), second(1)).await;
        assert_eq!(
            refusal(taken),
            "the host name a.example leads to workspace salon already; take it away there first"
        );
        let many = directory
            .insert(&name("gym"), &hosts(&["b.example", "c.example", "d.example", "e.example"]), second(1))
            .await;
        assert_eq!(refusal(many), "a workspace has at most 3 host names; give fewer");
        let reserved = directory.insert(&name("directory"), &[], second(1)).await;
        assert_eq!(refusal(reserved), "no workspace can have the name directory; take another one");
        assert_eq!(directory.list().await.unwrap().len(), 1);
        // A refused one did not take its host names along.
        directory.insert(&name("gym"), &hosts(&["b.example"]), second(1)).await.unwrap();
        directory.insert(&name("cafe"), &[], second(1)).await.unwrap();
        let full = directory.insert(&name("shop"), &[], second(1)).await;
        assert_eq!(
            refusal(full),
            "there are 3 workspaces, as many as a directory takes; delete one, or begin another data directory"
        );
    }

    pub(super) async fn host_names_are_replaced_whole(place: &Place) {
        let directory = &place.directory;
        directory.insert(&name("salon"), &hosts(&["a.example", "b.example"]), second(1)).await.unwrap();
        directory.insert(&name("gym"), &hosts(&["c.example"]), second(1)).await.unwrap();
        directory.set_hosts(&name("salon"), &hosts(&["b.example", "d.example"])).await.unwrap();
        assert_eq!(place.entry("salon").await.hosts, hosts(&["b.example", "d.example"]));
        let taken = directory.set_hosts(&name("salon"), &hosts(&["e.example", "c.example"])).await;
        assert!(refusal(taken).contains("workspace gym"));
        assert_eq!(place.entry("salon").await.hosts, hosts(&["b.example", "d.example"]), "as before");
        directory.set_hosts(&name("gym"), &hosts(&["a.example"])).await.unwrap();
        let unknown = directory.set_hosts(&name("cafe"), &[]).await;
        assert_eq!(refusal(unknown), "there is no workspace cafe; pergola workspace list shows those that there are");
    }

    pub(super) async fn only_a_suspended_workspace_is_removed(place: &Place) {
        let directory = &place.directory;
        directory.insert(&name("salon"), &hosts(&["a.example"]), second(1)).await.unwrap();
        let active = directory.remove(&name("salon")).await;
        assert_eq!(refusal(active), "workspace salon is active; suspend it first: pergola workspace suspend salon");
        directory.set_state(&name("salon"), WorkspaceState::Suspended, second(2)).await.unwrap();
        assert_eq!(place.entry("salon").await.state, WorkspaceState::Suspended);
        directory.remove(&name("salon")).await.unwrap();
        assert!(directory.list().await.unwrap().is_empty());
        // Its host names are free.
        directory.insert(&name("gym"), &hosts(&["a.example"]), second(3)).await.unwrap();
        assert!(refusal(directory.remove(&name("salon")).await).contains("there is no workspace salon"));
        let unknown = directory.set_state(&name("salon"), WorkspaceState::Active, second(3)).await;
        assert!(refusal(unknown).contains("there is no workspace salon"));
    }

    pub(super) async fn one_that_was_touched_meanwhile_is_not_put_to_sleep(place: &Place) {
        let (directory, salon) = (&place.directory, name("salon"));
        directory.insert(&salon, &[], second(1)).await.unwrap();
        directory.hold(std::slice::from_ref(&salon), second(100)).await.unwrap();
        let seen = place.entry("salon").await.touched;
        // A command writes after the server has looked.
        place.another().await.touch(&salon, second(50)).await.unwrap();
        assert!(!directory.sleep(&salon, seen, second(9_000)).await.unwrap());
        let entry = place.entry("salon").await;
        assert_eq!((entry.wake_at, entry.held_until), (second(50), Some(second(100))));
        assert!(directory.sleep(&salon, entry.touched, second(9_000)).await.unwrap());
        let entry = place.entry("salon").await;
        assert_eq!((entry.wake_at, entry.held_until), (second(9_000), None));
        assert!(!entry.is_due(second(8_999)) && entry.is_due(second(9_000)));
    }

    pub(super) async fn a_hold_that_runs_out_makes_it_due(place: &Place) {
        let (directory, salon) = (&place.directory, name("salon"));
        directory.insert(&salon, &[], second(1)).await.unwrap();
        assert!(place.entry("salon").await.is_due(second(1)), "a new one is looked at");
        directory.hold(std::slice::from_ref(&salon), second(100)).await.unwrap();
        let entry = place.entry("salon").await;
        assert!(entry.is_held(second(99)) && !entry.is_due(second(99)));
        assert!(!entry.is_held(second(100)) && entry.is_due(second(100)));
    }

    pub(super) async fn databases_are_found_measured_and_dropped(place: &Place) {
        let directory = &place.directory;
        assert!(directory.found().await.unwrap().is_empty());
        assert_eq!(directory.size(&name("main")).await.unwrap(), None);
        for workspace in ["main", "salon"] {
            place.make(workspace).await;
        }
        assert_eq!(directory.found().await.unwrap(), [name("main"), name("salon")]);
        assert!(directory.size(&name("salon")).await.unwrap().unwrap() > 10_000);
        directory.drop_database(&name("salon")).await.unwrap();
        directory.drop_database(&name("salon")).await.unwrap();
        assert_eq!(directory.found().await.unwrap(), [name("main")]);
    }

    pub(super) async fn two_that_add_at_once_do_not_pass_the_limit(place: &Place) {
        let others = [Arc::new(place.another().await), Arc::new(place.another().await)];
        let adding = (0..8).map(|number| {
            let directory = Arc::clone(&others[number % 2]);
            tokio::spawn(async move { directory.insert(&name(&format!("shop{number}")), &[], second(1)).await })
        });
        let adding: Vec<_> = adding.collect();
        let mut added = 0;
        for one in adding {
            added += usize::from(one.await.unwrap().is_ok());
        }
        assert_eq!((added, place.directory.list().await.unwrap().len()), (3, 3));
    }
}
