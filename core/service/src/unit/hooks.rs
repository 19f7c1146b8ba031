//! Calling plugins' hooks in their declared order, inside the transaction.

use std::sync::Arc;

use pergola_model::{
    Actor, ChangeKind, Object, PluginId,
    catalog::Hook,
    decl::{OnFailure, Phase},
};

use super::{Unit, host::TransactionHost, prepare};
use crate::{
    error::Error,
    ports::plugins::{
        Call, CallContext, CallError, Pending as PendingRow, PendingBatch, Reply, Verdict, Written, WrittenBatch,
    },
    rights::Rights,
};

impl Unit {
    /// Lets the hooks change the rows, or refuse them.
    pub(super) async fn before_hooks(
        &mut self,
        rights: &Rights,
        object: &Object,
        kind: ChangeKind,
        rows: &mut [PendingRow],
        depth: u32,
    ) -> Result<(), Error> {
        for hook in self.hooks(object, Phase::Before, kind) {
            let batch = PendingBatch { object: object.name.clone(), kind, rows: rows.to_vec() };
            if let Some(Reply::Verdicts(verdicts)) =
                self.call_hook(rights, &hook, Call::BeforeWrite(batch), depth).await?
            {
                self.take_verdicts(&hook, object, kind, rows, verdicts)?;
            }
        }
        Ok(())
    }

    /// Shows the hooks what was written; they may write more.
    pub(super) async fn after_hooks(
        &mut self,
        rights: &Rights,
        object: &Object,
        kind: ChangeKind,
        rows: Vec<Written>,
        depth: u32,
    ) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        for hook in self.hooks(object, Phase::After, kind) {
            let batch = WrittenBatch { object: object.name.clone(), kind, rows: rows.clone() };
            self.call_hook(rights, &hook, Call::AfterWrite(batch), depth).await?;
        }
        Ok(())
    }

    /// None while a purge is under way: nobody may refuse it, nor write down what is to be forgotten.
    fn hooks(&self, object: &Object, phase: Phase, kind: ChangeKind) -> Vec<Hook> {
        if self.purging.is_some() {
            return Vec::new();
        }
        self.catalog.hooks_on(&object.name, phase, kind).cloned().collect()
    }

    /// Calls one hook. None when it failed and declares that the write goes on without it.
    async fn call_hook(
        &mut self,
        rights: &Rights,
        hook: &Hook,
        call: Call,
        depth: u32,
    ) -> Result<Option<Reply>, Error> {
        if hook.on_failure == OnFailure::Reject {
            return self.call_plugin(rights, &hook.plugin, call, depth).await.map(Some).map_err(Error::from);
        }
        let mark = self.pending.mark();
        self.tx.savepoint().await?;
        match self.call_plugin(rights, &hook.plugin, call, depth).await {
            Ok(reply) => {
                self.tx.release_savepoint().await?;
                Ok(Some(reply))
            }
            Err(refused @ CallError::Refused { .. }) => Err(refused.into()),
            Err(error) => {
                self.tx.rollback_savepoint().await?;
                self.pending.go_back_to(&mark);
                tracing::warn!(plugin = %hook.plugin, object = %hook.object, %error, "a hook failed; the write goes on without it");
                Ok(None)
            }
        }
    }

    async fn call_plugin(
        &mut self,
        rights: &Rights,
        plugin: &PluginId,
        call: Call,
        depth: u32,
    ) -> Result<Reply, CallError> {
        let catalog = Arc::clone(&self.catalog);
        let Some(installed) = catalog.plugins.get(plugin) else {
            return Err(CallError::Unavailable { plugin: plugin.clone(), cause: "it is not installed".to_owned() });
        };
        let context = CallContext {
            now: self.now,
            locale: Arc::clone(&self.locale),
            settings: Arc::new(installed.settings.clone()),
            budget: Arc::clone(&self.budget),
            depth,
        };
        let plugins = Arc::clone(&self.workspace.0.plugins);
        let rights = Rights::through(&rights.actor, installed);
        let mut host = TransactionHost { unit: self, rights, depth: depth + 1 };
        plugins.call(plugin, &installed.digest, call, &context, &mut host).await
    }

    /// Calls the plugin's lifecycle handler in this transaction.
    pub(crate) async fn call_installed(&mut self, plugin: &PluginId, previous: Option<String>) -> Result<(), Error> {
        let system = Rights::of(&Actor::System);
        self.call_plugin(&system, plugin, Call::Installed { previous }, 0).await?;
        Ok(())
    }

    fn take_verdicts(
        &self,
        hook: &Hook,
        object: &Object,
        kind: ChangeKind,
        rows: &mut [PendingRow],
        verdicts: Vec<Verdict>,
    ) -> Result<(), Error> {
        for (row, verdict) in rows.iter_mut().zip(verdicts) {
            if let Some(failure) = verdict.refusal {
                return Err(CallError::Refused { plugin: hook.plugin.clone(), failure }.into());
            }
            if kind != ChangeKind::Delete && !verdict.changes.is_empty() {
                row.changes.merge(prepare::normalise(object, verdict.changes, &self.locale)?);
            }
        }
        Ok(())
    }
}
