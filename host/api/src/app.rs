//! What all requests share: the workspace, caches and places in the queues.

use std::sync::Arc;

use pergola_service::Workspace;
use tokio::sync::Semaphore;

use crate::{ApiLimits, ApiState, auth::cache::TokenCache, openapi::Documents, request::RequestIds};

/// What all requests share.
pub(crate) struct App {
    pub(crate) workspace: Workspace,
    /// What it is called in the log.
    pub(crate) name: Arc<str>,
    pub(crate) limits: ApiLimits,
    pub(crate) tokens: TokenCache,
    pub(crate) documents: Documents,
    pub(crate) request_ids: RequestIds,
    pub(crate) slots: Semaphore,
    pub(crate) public_slots: Semaphore,
    /// Sign-ins at work and waiting: a flood of them must not take all of `slots`.
    pub(crate) sign_in_slots: Semaphore,
    pub(crate) password_slots: Arc<Semaphore>,
    pub(crate) export_slots: Arc<Semaphore>,
}

impl App {
    pub(crate) fn new(state: ApiState) -> Arc<Self> {
        let ApiState { workspace, name, limits, password_slots } = state;
        let own_slots = || Arc::new(Semaphore::new(limits.password_checks_max));
        Arc::new(Self {
            workspace,
            name,
            tokens: TokenCache::default(),
            documents: Documents::default(),
            request_ids: RequestIds::new(),
            slots: Semaphore::new(limits.in_flight_max),
            public_slots: Semaphore::new(limits.public_in_flight_max),
            sign_in_slots: Semaphore::new(limits.sign_ins_max),
            password_slots: password_slots.unwrap_or_else(own_slots),
            export_slots: Arc::new(Semaphore::new(limits.exports_max)),
            limits,
        })
    }
}
