//! `pergola doctor`: what is not as it should be, and mending what can be mended without deciding anything.

use pergola_service::workspace::{Finding, Severity};
use pergola_store::backup;
use serde_json::json;

use super::prepare;
use crate::{
    cli::DoctorArgs,
    config::Config,
    data::{self, DataDir},
    say::{self, Unwell, problem},
    wire::{self, Place},
};

pub(crate) async fn run(args: DoctorArgs) -> anyhow::Result<()> {
    let data = DataDir::open_existing(&args.data)?;
    let config = prepare(&data, true)?;
    let mut findings = examine_files(&data, &config).await?;
    match examine_workspace(&data, &config, args.fix).await {
        Ok(found) => findings.extend(found),
        // What cannot be opened was told of already, if the file is damaged.
        Err(error) if !findings.is_empty() => {
            let advice = "mend the findings above first; most likely by restoring a backup";
            let mut finding = Finding::new("open", Severity::Damage, "the workspace cannot be opened", advice);
            finding.add(|| format!("{error:#}"));
            findings.push(finding);
        }
        Err(error) => return Err(error),
    }
    let is_well = findings.iter().all(|finding| finding.mended || finding.severity == Severity::Notice);
    if args.json {
        tell_json(&findings, is_well)
    } else {
        tell(&findings, args.fix)
    }
    if is_well { Ok(()) } else { Err(Unwell.into()) }
}

/// Pages and indexes of the file, or rows and indexes on the server, and the components beside them.
async fn examine_files(data: &DataDir, config: &Config) -> anyhow::Result<Vec<Finding>> {
    let mut pages = Finding::new(
        "integrity",
        Severity::Damage,
        "the database is damaged",
        "stop the server, keep a copy of the database, and restore a backup",
    );
    let (damage, installed) = match wire::place(data, config)? {
        Place::File(file) => {
            (backup::damage(&file).await, backup::contents(&file).await.map(|contents| contents.components))
        }
        Place::Server(remote) => {
            if !remote.is_there().await.map_err(wire::server_error)? {
                return Err(problem(format!("there is no workspace in schema {} of the database", remote.schema())));
            }
            (remote.damage().await, remote.components().await)
        }
    };
    match damage {
        Ok(problems) => problems.into_iter().for_each(|problem| pages.add(|| problem)),
        Err(error) => pages.add(|| format!("{:#}", anyhow::Error::new(error))),
    }
    let mut components = Finding::new(
        "component",
        Severity::Damage,
        "components of plugins that are lost or damaged",
        "install the plugin again: pergola plugin install DIR",
    );
    if let Ok(installed) = installed {
        for (plugin, digest) in installed {
            let path = data.component(&digest);
            if !data::is_whole(&path, &digest) {
                components.add(|| format!("{plugin}: {}", path.display()));
            }
        }
    }
    Ok([pages, components].into_iter().filter_map(Finding::if_any).collect())
}

async fn examine_workspace(data: &DataDir, config: &Config, fix: bool) -> anyhow::Result<Vec<Finding>> {
    let opened = wire::open_to_install(data, config).await?;
    let found = opened.workspace.examine(fix).await;
    opened.close().await;
    Ok(found?)
}

fn tell(findings: &[Finding], fix: bool) {
    for finding in findings {
        let Finding { check, severity, what, count, advice, .. } = finding;
        say::line(format_args!("{} {check}: {count} {what}", severity.as_str()));
        for place in &finding.places {
            say::line(format_args!("  {place}"));
        }
        let beyond = finding.count.saturating_sub(u64::try_from(finding.places.len()).unwrap_or(u64::MAX));
        if beyond > 0 && !finding.places.is_empty() {
            say::line(format_args!("  and {beyond} more"));
        }
        say::line(match (finding.mended, finding.mendable) {
            (true, _) => "  mended".to_owned(),
            (false, true) if fix => format!("  could not be mended ({advice}); the log says why"),
            (false, true) => format!("  --fix {advice}"),
            (false, false) => format!("  {advice}"),
        });
    }
    let mended = findings.iter().filter(|finding| finding.mended).count();
    say::line(match (findings.len(), mended) {
        (0, _) => "all is well".to_owned(),
        (all, mended) => format!("{all} findings, {mended} mended"),
    });
}

fn tell_json(findings: &[Finding], is_well: bool) {
    let findings: Vec<_> = findings
        .iter()
        .map(|finding| {
            json!({
                "check": finding.check, "severity": finding.severity.as_str(), "what": finding.what,
                "count": finding.count, "places": finding.places, "advice": finding.advice,
                "mendable": finding.mendable, "mended": finding.mended,
            })
        })
        .collect();
    say::line(json!({ "well": is_well, "findings": findings }));
}
