//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use pergola_exchange::ExportFormat;

/// A CRM core whose industries are sandboxed plugins.
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes:\n  0  done\n  1  something failed on this side: a full disk, a taken port; the message says what\n  2  the command line is wrong\n  3  what was given cannot be taken: a manifest, a spreadsheet, a name; the message says where and how to mend it\n  4  the doctor found damage that is not mended\n\nConfiguration is read from DIR/pergola.toml and from PERGOLA_… variables (PERGOLA_SERVER__LISTEN);\ndocs/configuration.md lists all of it."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Build the packs, fill a demo salon and serve it
    Demo(DemoArgs),
    /// Serve all workspaces over HTTP, or one
    Serve(ServeArgs),
    /// Make, list, suspend, export and delete workspaces
    #[command(subcommand)]
    Workspace(WorkspaceCommand),
    /// Import a spreadsheet (.xlsx .xls .ods .csv)
    Import(ImportArgs),
    /// Back up a workspace to one file, while a server may run
    Backup(BackupArgs),
    /// Make a workspace from a backup
    Restore(RestoreArgs),
    /// Remove a person or an organization and everything about them for good
    Purge(PurgeArgs),
    /// Write the database anew, so that deleted data take no space and leave no bytes
    Compact(DataArgs),
    /// Look for what is not as it should be, and mend what is safe
    Doctor(DoctorArgs),
    /// Export records (.csv .xlsx .jsonl .vcf)
    Export(ExportArgs),
    /// Write, build, check and install plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
}

/// Where the data of all workspaces are.
#[derive(Args, Clone)]
pub(crate) struct PlaceArgs {
    /// Directory of all data; created where it is missing
    #[arg(long, value_name = "DIR", default_value = "./pergola-data", env = "PERGOLA_DATA")]
    pub(crate) data: PathBuf,
    /// `PostgreSQL` database instead of a file in DIR, as `postgres://user:password@host/name`
    #[arg(long, value_name = "URL")]
    pub(crate) database: Option<String>,
}

/// Where the data of a workspace are.
#[derive(Args, Clone)]
pub(crate) struct DataArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// The business within it; main if absent
    #[arg(long, value_name = "NAME", env = "PERGOLA_WORKSPACE")]
    pub(crate) workspace: Option<String>,
}

/// Options of `demo`.
#[derive(Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Address to serve on; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Throw away the data directory first
    #[arg(long)]
    pub(crate) reset: bool,
}

/// What to do with workspaces.
#[derive(Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Make a workspace
    #[command(
        after_help = "Requests whose host name was given lead to it. A server that runs sees it within a few seconds.\n\nExamples:\n  pergola workspace create anna --host anna.example --host www.anna.example\n  pergola import clients.xlsx --workspace anna"
    )]
    Create {
        #[command(flatten)]
        place: PlaceArgs,
        /// Its name: lower-case letters, digits and _
        name: String,
        /// A host name that leads to it; may be repeated
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
    },
    /// List all workspaces
    List {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Let these host names lead to a workspace, and no others
    Hosts {
        #[command(flatten)]
        place: PlaceArgs,
        /// Its name
        name: String,
        /// The host names; without any, none leads to it
        #[arg(value_name = "HOST")]
        hosts: Vec<String>,
    },
    /// Let nobody in, and let everything wait
    Suspend {
        #[command(flatten)]
        place: PlaceArgs,
        /// Its name
        name: String,
    },
    /// Let a suspended workspace go on
    Resume {
        #[command(flatten)]
        place: PlaceArgs,
        /// Its name
        name: String,
    },
    /// Write all its records as JSON Lines, a file for each object
    #[command(
        after_help = "Every object is of one state of the data, noted in the audit, and in the form that REST has. What comes back\nwhole is a backup; an export is for leaving.\n\nExamples:\n  pergola workspace export anna\n  pergola workspace export anna --out anna.zip\n\nWorks whether or not a server runs on the same data."
    )]
    Export {
        #[command(flatten)]
        place: PlaceArgs,
        /// Its name
        name: String,
        /// A folder, or a file that ends with .zip; NAME-export if absent
        #[arg(long, value_name = "PATH")]
        out: Option<PathBuf>,
    },
    /// Remove a suspended workspace, after a backup of it
    Delete {
        #[command(flatten)]
        place: PlaceArgs,
        /// Its name
        name: String,
        /// Yes, remove it
        #[arg(long)]
        yes: bool,
        /// And keep nothing of it
        #[arg(long)]
        without_backup: bool,
    },
}

/// Options of `serve`.
#[derive(Args)]
#[command(
    after_help = "The host name of a request says which workspace answers; one that leads nowhere leads to main, or to the only\nworkspace. With --workspace, that one alone is served, whatever the host name."
)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Address to serve on; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
}

/// What to do with imports that were made.
#[derive(Subcommand)]
pub(crate) enum ImportCommand {
    /// List the newest imports
    List {
        #[command(flatten)]
        data: DataArgs,
        /// Print one JSON object for each
        #[arg(long)]
        json: bool,
    },
    /// Take an import back: created records go, changed ones are as before
    Undo {
        #[command(flatten)]
        data: DataArgs,
        /// Its id, as `import` and `import list` print it
        batch: String,
        /// Show what would be done, change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print the summary as one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// Options of `import`.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Columns are matched to fields by their headings, in English, Russian, Turkish, Finnish, Greek and Bengali;\n--map overrides that: --map 'Client name=name' --map 'Allergies=salon.allergies'.\n\nA row with a known phone or e-mail is merged into the contact that has it. Rows that cannot be taken are\nwritten to the report with their row number and the reason; mend them there and import the report.\n\nExamples:\n  pergola import clients.xlsx --dry-run\n  pergola import clients.csv --region FI --report refused.csv\n  pergola import deals.csv --object deal --match name --on-match overwrite\n\nAn import that was cut off goes on where it stopped when the same command is given again.\nWorks whether or not a server runs on the same data."
)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    pub(crate) command: Option<ImportCommand>,
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The spreadsheet
    #[arg(required = true)]
    pub(crate) file: Option<PathBuf>,
    /// What the rows become
    #[arg(long, default_value = "contact")]
    pub(crate) object: String,
    /// Region of phone numbers without a country code, as ISO 3166 (RU, FI, TR); the workspace's if absent
    #[arg(long, value_name = "CODE")]
    pub(crate) region: Option<String>,
    /// A heading and the field that it goes to; may be repeated
    #[arg(long, value_name = "HEADING=FIELD", value_parser = mapping)]
    pub(crate) map: Vec<(String, String)>,
    /// Field by which a record is known: id, or one that is unique or indexed; may be repeated
    #[arg(long = "match", value_name = "FIELD")]
    pub(crate) matches: Vec<String>,
    /// What a row does to a record that is known
    #[arg(long, value_enum, default_value = "fill")]
    pub(crate) on_match: OnMatchArg,
    /// A heading and the field by which the record is found that it refers to; may be repeated
    #[arg(long = "ref", value_name = "HEADING=OBJECT.FIELD", value_parser = mapping)]
    pub(crate) refs: Vec<(String, String)>,
    /// Sheet of a workbook, by name or number; the first with content if absent
    #[arg(long, value_name = "SHEET")]
    pub(crate) sheet: Option<String>,
    /// Encoding of a text file, such as windows-1251; told from the bytes if absent
    #[arg(long, value_name = "NAME")]
    pub(crate) encoding: Option<String>,
    /// What separates the cells of a text file: , ; | or tab; told from the text if absent
    #[arg(long, value_name = "CHAR", value_parser = separator)]
    pub(crate) separator: Option<char>,
    /// Begin at the first row, although an earlier run of the same file was cut off
    #[arg(long)]
    pub(crate) restart: bool,
    /// Try everything, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Where to write the rows that were refused; FILE.refused.csv if absent
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Print the summary as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `backup`.
#[derive(Args)]
#[command(
    after_help = "The backup is one zip with the data of one moment, the plugins' components and their checksums. It is written\nbeside its place, read back and checked, and only then gets its name. Whoever can read it can read the business.\n\nWorks whether or not a server runs on the same data."
)]
pub(crate) struct BackupArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The file to write; DIR/backups/WORKSPACE-TIME.zip if absent
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

/// Options of `restore`.
#[derive(Args)]
#[command(
    after_help = "Nothing is touched before every byte of the backup was checked. With --in-place the old data are moved aside and\nstay there; no server may run meanwhile. A backup of a file becomes a file, one of PostgreSQL a schema.\n\nExamples:\n  pergola restore main-20260331T100000Z.zip --data ./second-shop\n  pergola restore main-20260331T100000Z.zip --in-place"
)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// The backup
    pub(crate) file: PathBuf,
    /// Take the place of the workspace that is there
    #[arg(long)]
    pub(crate) in_place: bool,
}

/// Options of `purge`.
#[derive(Args)]
#[command(
    after_help = "Everything about the contact or the organization goes, in all plugins' tables, in the bin, in the audit's values and in the bytes of the\ndatabase's files. There is no way back. Backups keep what they had; so do messages that left.\ndocs/privacy.md says what goes and what stays.\n\nExamples:\n  pergola purge contact 01890a5d-ac96-774b-bcce-b302099a8057 --dry-run\n  pergola purge contact 01890a5d-ac96-774b-bcce-b302099a8057\n\nWorks whether or not a server runs on the same data."
)]
pub(crate) struct PurgeArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// What is purged: contact or organization
    #[arg(value_parser = ["contact", "organization"])]
    pub(crate) object: String,
    /// Its id
    pub(crate) id: String,
    /// Show what would go, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `doctor`.
#[derive(Args)]
#[command(
    after_help = "Looks at the file's pages, at every record against its declaration, at references, rules, timers, events, messages,\ncomponents and purges. Without --fix nothing is changed; with it, what can be mended without deciding anything.\nThe exit code is 4 if damage is left. docs/backup.md lists the checks.\n\nWorks whether or not a server runs on the same data."
)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Mend what is safe
    #[arg(long)]
    pub(crate) fix: bool,
    /// Print the findings as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

fn mapping(text: &str) -> Result<(String, String), String> {
    text.rsplit_once('=')
        .filter(|(heading, field)| !heading.trim().is_empty() && !field.trim().is_empty())
        .map(|(heading, field)| (heading.trim().to_owned(), field.trim().to_owned()))
        .ok_or_else(|| format!("{text:?} is not HEADING=FIELD, as in 'Client name=name'"))
}

fn separator(text: &str) -> Result<char, String> {
    let mut chars = text.chars();
    match (text, chars.next(), chars.next()) {
        ("tab" | "\\t", ..) => Ok('\t'),
        (_, Some(one), None) => Ok(one),
        _ => Err("give one character, or the word tab".to_owned()),
    }
}

/// What a row does to a record that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnMatchArg {
    /// Nothing
    Skip,
    /// Fills empty fields, adds tags and lines; what is there stays
    Fill,
    /// Replaces values; an empty cell leaves what is there
    Overwrite,
}

/// Options of `export`.
#[derive(Args)]
#[command(
    after_help = "Tables can be imported again. CSV and .xlsx have the title of a referred record in one column and its id in the\nnext; a cell that a spreadsheet would take for a formula is kept from it.\n\nExamples:\n  pergola export contact --format xlsx\n  pergola export contact --format csv --filter \"'vip' in tags\" --fields id,name,phone --out vip.csv\n  pergola export booking.appointment --format jsonl --sort starts_at --out -\n\nEvery export is noted in the audit. Works whether or not a server runs on the same data."
)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Whose records, such as contact or booking.appointment
    pub(crate) object: String,
    /// csv, xlsx, jsonl or vcard
    #[arg(long)]
    pub(crate) format: ExportFormat,
    /// Which records, as a CEL expression; all if absent
    #[arg(long, value_name = "CEL", default_value = "")]
    pub(crate) filter: String,
    /// Columns, separated by commas; the id and all fields if absent
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub(crate) fields: Option<Vec<String>>,
    /// Fields in order, - before one for largest first; by creation if absent
    #[arg(long, value_name = "KEYS", default_value = "", allow_hyphen_values = true)]
    pub(crate) sort: String,
    /// Where to; - is standard output; the object's plural with the format's ending if absent
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Headings are the fields' labels in this language (en, ru, …), not their keys
    #[arg(long, value_name = "LANGUAGE")]
    pub(crate) labels: Option<String>,
    /// What separates the cells of csv: , ; | or tab
    #[arg(long, value_name = "CHAR", value_parser = separator, default_value = ",")]
    pub(crate) separator: char,
    /// Begin csv with a byte order mark, as Excel wants it
    #[arg(long)]
    pub(crate) bom: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// What to do with plugins.
#[derive(Subcommand)]
pub(crate) enum PluginCommand {
    /// Start a new plugin from the smallest one
    New {
        /// Its folder, whose last part is its id
        dir: PathBuf,
        /// Its id, if other than the folder's name
        #[arg(long)]
        id: Option<String>,
        /// The SDK's folder (plugin-api/rust of a checkout), if other than this program's own
        #[arg(long, value_name = "DIR")]
        sdk: Option<PathBuf>,
    },
    /// Build a plugin to a WebAssembly component
    Build {
        /// The folder with plugin.toml
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Check a plugin's manifest and, where it is built, its component
    Check {
        /// The folder with plugin.toml
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Build a plugin and install it into a workspace
    Install {
        #[command(flatten)]
        data: DataArgs,
        /// The folder with plugin.toml
        dir: PathBuf,
        /// Show what would be done, change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// List the plugins of a workspace
    List {
        #[command(flatten)]
        data: DataArgs,
    },
}
