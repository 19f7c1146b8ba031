//! Which status and members an error of the service gets.

use axum::http::StatusCode;
use pergola_model::FieldIssue;
use pergola_service::{Error, error::RefusedBy, ports::plugins::CallError};
use serde_json::Value as Json;

use super::Problem;

/// Codes of plugins' refusals that are about other data rather than about the fields sent.
const CONFLICTS: [&str; 6] = ["slot_taken", "overlap", "taken", "conflict", "stale", "in_use"];

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound(_) => Self::not_found(detail),
            Error::Forbidden(_) => Self::forbidden(detail),
            Error::Invalid(issues) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).with_errors(issues)
            }
            Error::BadRequest { code, .. } => Self::bad_request(code, detail),
            Error::Conflict { code, issues, .. } => Self::new(StatusCode::CONFLICT, code, detail).with_errors(issues),
            Error::Refused(refused) => refusal(*refused),
            Error::Plugin(error) => plugin_problem(*error),
            Error::Manifest(issues) => {
                let issues =
                    issues.into_iter().map(|one| FieldIssue::new(one.path, "bad_manifest", one.message)).collect();
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "bad_manifest", detail).with_errors(issues)
            }
            Error::Busy | Error::Interrupted => Self::come_again("busy", detail),
            Error::InDoubt => Self::new(StatusCode::GATEWAY_TIMEOUT, "in_doubt", detail),
            Error::Full => Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", detail),
            Error::Internal(cause) => Self::internal(chain(cause.as_ref())),
        }
    }
}

fn refusal(refused: RefusedBy) -> Problem {
    let status = match refused.code.as_str() {
        // What the host told the plugin, and the plugin passed on.
        "busy" => return Problem::come_again("busy", refused.message).with_plugin(refused.plugin),
        "internal" => return Problem::internal(refused.message).with_plugin(refused.plugin),
        "in_doubt" => StatusCode::GATEWAY_TIMEOUT,
        "disk_full" => StatusCode::INSUFFICIENT_STORAGE,
        "not_found" => StatusCode::NOT_FOUND,
        "forbidden" => StatusCode::FORBIDDEN,
        code if CONFLICTS.contains(&code) => StatusCode::CONFLICT,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    };
    let problem =
        Problem::new(status, refused.code, refused.message).with_plugin(refused.plugin).with_errors(refused.issues);
    match refused.detail {
        Some(Json::Object(members)) => {
            members.into_iter().fold(problem, |problem, (name, value)| problem.with_member(&name, value))
        }
        _ => problem,
    }
}

fn plugin_problem(error: CallError) -> Problem {
    let detail = error.to_string();
    let failed = StatusCode::INTERNAL_SERVER_ERROR;
    match error {
        CallError::Refused { plugin, failure } => refusal(RefusedBy {
            plugin: plugin.to_string(),
            issues: Vec::new(),
            code: failure.code,
            message: failure.message,
            detail: failure.detail,
        }),
        CallError::Limit { plugin, handler, limit, figure } => Problem::new(failed, "plugin_limit", detail)
            .with_plugin(plugin)
            .with_member("handler", handler)
            .with_member("limit", limit)
            .with_member("figure", figure),
        CallError::Trap { plugin, handler, .. } => {
            Problem::new(failed, "plugin_failed", detail).with_plugin(plugin).with_member("handler", handler)
        }
        CallError::Unavailable { plugin, .. } => Problem::come_again("plugin_unavailable", detail).with_plugin(plugin),
    }
}

/// An error and its causes in one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use pergola_model::PluginId;
    use pergola_service::ports::store::StoreError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the disk said {0}")]
    struct Cause(&'static str);

    fn told(error: Error) -> (u16, String, Option<String>) {
        let problem = Problem::from(error);
        let parts = &*problem.0;
        (parts.status.as_u16(), parts.code.to_string(), parts.cause.clone())
    }

    #[test]
    fn errors_of_the_store_get_their_status() {
        for (error, status, code) in [
            (StoreError::Busy, 503, "busy"),
            (StoreError::Full, 507, "disk_full"),
            (StoreError::InDoubt, 504, "in_doubt"),
            (StoreError::Stale, 409, "stale"),
            (StoreError::Taken { constraint: "contact_unique_phone".to_owned() }, 409, "taken"),
            (StoreError::Reference, 409, "reference"),
            (StoreError::Schema("a column has another type".to_owned()), 400, "schema"),
            (StoreError::Range("the sum leaves 64 bits".to_owned()), 400, "out_of_range"),
        ] {
            assert_eq!(told(error.into()), (status, code.to_owned(), None));
        }
    }

    #[test]
    fn what_the_host_told_a_plugin_keeps_its_status_when_the_plugin_passes_it_on() {
        let internal = Error::Internal("EIO".into());
        for (error, status) in [(Error::Busy, 503), (Error::Full, 507), (Error::InDoubt, 504), (internal, 500)] {
            let failure = error.into_failure();
            let plugin = PluginId::new("booking").unwrap();
            let problem = Problem::from(Error::from(CallError::Refused { plugin, failure }));
            assert_eq!(problem.0.status.as_u16(), status);
            assert_eq!(problem.0.headers.contains_key(axum::http::header::RETRY_AFTER), status == 503);
        }
    }

    #[test]
    fn what_went_wrong_inside_is_for_the_log_only() {
        let error = Error::from(StoreError::Backend(Box::new(Cause("EIO at /secret/place"))));
        let problem = Problem::from(error);
        assert_eq!(problem.0.cause.as_deref(), Some("the database failed: the disk said EIO at /secret/place"));
        assert!(!problem.0.detail.contains("secret"), "{}", problem.0.detail);
    }

    #[test]
    fn stale_is_412_only_for_a_caller_who_named_the_version() {
        for (named, status) in [(true, 412), (false, 409)] {
            assert_eq!(Problem::from(Error::stale()).of_condition(named).0.status.as_u16(), status);
        }
        let taken = Error::from(StoreError::Taken { constraint: String::new() });
        assert_eq!(Problem::from(taken).of_condition(true).0.status.as_u16(), 409);
    }
}
