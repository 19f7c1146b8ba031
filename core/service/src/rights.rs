//! What an actor may do, directly or through a plugin: the plugin's grants narrow the actor's rights.

use pergola_model::{
    Actor, Catalog, Fields, ObjectName, Operation, PluginId,
    access::{RecordGrants, pattern_covers},
    catalog::InstalledPlugin,
    expr::Expression,
};

use crate::error::Error;

/// Who writes or reads, and through which plugin.
#[derive(Debug, Clone)]
pub struct Rights {
    /// Who acts.
    pub actor: Actor,
    /// The plugin through which they act.
    pub via: Option<Via>,
}

/// A plugin between the actor and the records.
#[derive(Debug, Clone)]
pub struct Via {
    /// Which.
    pub plugin: PluginId,
    grants: RecordGrants,
    own_rights: Vec<String>,
}

impl Rights {
    /// The actor alone.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        Self { actor: actor.clone(), via: None }
    }

    /// The actor through a plugin.
    #[must_use]
    pub fn through(actor: &Actor, plugin: &InstalledPlugin) -> Self {
        let via = Via {
            plugin: plugin.manifest.id.clone(),
            grants: plugin.grants.clone(),
            own_rights: plugin.manifest.capabilities.own_rights.clone(),
        };
        Self { actor: actor.clone(), via: Some(via) }
    }

    /// The plugin through which the actor acts.
    #[must_use]
    pub fn plugin(&self) -> Option<&PluginId> {
        self.via.as_ref().map(|via| &via.plugin)
    }

    /// Passes, or says who lacks what and where it is granted.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn check(&self, operation: Operation, object: &ObjectName, fields: &Fields) -> Result<(), Error> {
        let word = operation.as_str();
        if let Some(via) = &self.via {
            if !via.grants.allow(operation, object) && !via.writes_own_fields(operation, fields) {
                return Err(Error::Forbidden(format!(
                    "plugin {0} may not {word} {object}: add \"{object}\" = \"{word}\" under [capabilities] records in its plugin.toml",
                    via.plugin
                )));
            }
            if via.has_own_right(object) {
                return Ok(());
            }
        }
        if self.actor.may(operation, object) {
            Ok(())
        } else {
            Err(Error::Forbidden(format!(
                "{} may not {word} {object}: ask an owner for a role that may",
                self.actor.label()
            )))
        }
    }

    /// Passes when the object's records may be read, and all others that the expressions look at: a filter tells
    /// what it compares with.
    ///
    /// # Errors
    /// [`Error::Forbidden`].
    pub fn check_reads<'e>(
        &self,
        catalog: &Catalog,
        object: &ObjectName,
        expressions: impl Iterator<Item = &'e Expression>,
    ) -> Result<(), Error> {
        self.check(Operation::Read, object, &Fields::new())?;
        for read in expressions.flat_map(|expression| expression.root().objects_read(object, catalog)) {
            self.check(Operation::Read, &read, &Fields::new())?;
        }
        Ok(())
    }
}

impl Via {
    /// A plugin may always fill the fields that it added to another's object.
    fn writes_own_fields(&self, operation: Operation, fields: &Fields) -> bool {
        operation == Operation::Update
            && !fields.is_empty()
            && fields
                .iter()
                .all(|(key, _)| key.split_once('.').is_some_and(|(plugin, _)| plugin == self.plugin.as_str()))
    }

    fn has_own_right(&self, object: &ObjectName) -> bool {
        self.own_rights.iter().any(|pattern| pattern_covers(pattern, object))
    }
}
