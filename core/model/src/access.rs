//! Who acts, and what they may do: a simple role check, to be replaced by row permissions.

use crate::name::{ObjectName, PluginId};

/// What is done to records of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// See them.
    Read,
    /// Make new ones.
    Create,
    /// Change fields.
    Update,
    /// End them.
    Delete,
    /// Take all of them along, as a file. No plugin can be granted it.
    Export,
}

impl Operation {
    /// The word in a manifest's grant.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Export => "export",
        }
    }
}

/// What a user is in a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, users and plugins included.
    Owner,
    /// All records, but neither deletes nor exports nor plugins.
    Staff,
    /// Reads.
    Viewer,
}

impl Role {
    /// The role's name in tokens and the audit.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Staff => "staff",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "owner" => Some(Self::Owner),
            "staff" => Some(Self::Staff),
            "viewer" => Some(Self::Viewer),
            _ => None,
        }
    }

    fn may(self, operation: Operation) -> bool {
        match self {
            Self::Owner => true,
            Self::Staff => !matches!(operation, Operation::Delete | Operation::Export),
            Self::Viewer => operation == Operation::Read,
        }
    }
}

/// Who acts. A plugin is not an actor of its own: its grants narrow the actor's rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The host itself: installs, timers, deliveries.
    System,
    /// Somebody with an account or a token.
    User {
        /// The name in the audit.
        name: String,
        /// What they may do.
        role: Role,
    },
    /// Anybody on a public route.
    Public,
}

impl Actor {
    /// Whether the actor may do that to records of the object.
    #[must_use]
    pub fn may(&self, operation: Operation, _object: &ObjectName) -> bool {
        match self {
            Self::System => true,
            Self::User { role, .. } => role.may(operation),
            Self::Public => false,
        }
    }

    /// How the audit names the actor.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::System => "system".to_owned(),
            Self::User { name, .. } => name.clone(),
            Self::Public => "public".to_owned(),
        }
    }
}

/// What a plugin was granted on records, as its manifest asks: object pattern → operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordGrants {
    /// The plugin: it has every right on its own objects, whatever the list says.
    pub plugin: Option<PluginId>,
    /// `booking.*` or an object's name, and the operations.
    pub patterns: Vec<(String, Vec<Operation>)>,
}

impl RecordGrants {
    /// Whether a pattern covers the operation on the object.
    #[must_use]
    pub fn allow(&self, operation: Operation, object: &ObjectName) -> bool {
        if self.plugin.as_ref().is_some_and(|plugin| object.plugin() == Some(plugin.as_str())) {
            return true;
        }
        self.patterns
            .iter()
            .any(|(pattern, operations)| pattern_covers(pattern, object) && operations.contains(&operation))
    }
}

/// Whether `booking.*`, `*` or an object's name covers the object.
#[must_use]
pub fn pattern_covers(pattern: &str, object: &ObjectName) -> bool {
    match pattern.strip_suffix(".*") {
        Some(plugin) => object.plugin() == Some(plugin),
        None => pattern == "*" || pattern == object.as_str(),
    }
}
