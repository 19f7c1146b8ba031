//! A workspace with a small booking plugin, and requests to its API.

use std::sync::{
    Arc,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use async_trait::async_trait;
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, Request, StatusCode},
};
use jiff::Timestamp;
use pergola_api::{ApiLimits, ApiState, Router, new_token, router};
use pergola_model::{Id, PluginId, Role};
use pergola_service::{
    Workspace,
    ports::{
        Clock, Ids,
        plugins::{Call, CallContext, CallError, Failure, Host, Plugins, Reply, RouteResponse},
        store::StoredToken,
    },
    workspace::{Package, Ports},
};
use pergola_store::{Options, SqliteStore};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

/// A plugin with everything that the API serves.
const BOOKING: &str = r##"
id = "booking"
version = "1.2.0"
api = "0.1"
label = { en = "Booking" }
[settings]
slot_minutes = { type = "integer", default = 30, label = { en = "Length of a slot" } }
[capabilities]
records = { "contact" = "read" }
[object.appointment]
label = { en = "Appointment" }
fields.title = { type = "text", required = true, label = { en = "Title" } }
fields.contact = { type = "ref", to = "contact" }
fields.status = { type = "choice", of = ["booked", "done"], default = "booked" }
fields.price = { type = "money" }
[object.point]
fields.contact = { type = "ref", to = "contact", required = true }
fields.amount = { type = "integer", required = true }
fields.program = { type = "choice", of = ["bonus", "visits"] }
fields.number = { type = "integer", sequence = { start = 1 } }
ledger = { account = "contact", amount = "amount", unit = "program", floor = 0 }
[extend.contact]
fields.visits = { type = "integer" }
fields.work_phone = { type = "phone" }
[[hook]]
on = "booking.appointment"
when = ["create", "update"]
[[action]]
id = "run"
label = { en = "Run something" }
input = { type = "object", properties = { what = { "$ref" = "#/$defs/word" } }, "$defs" = { word = { type = "string" } } }
[[route]]
method = "GET"
path = "/slots"
auth = "public"
label = { en = "Free slots" }
[[route]]
method = "POST"
path = "/slots"
auth = "public"
[[route]]
method = "GET"
path = "/report"
"##;

/// The time at which every test begins.
pub(crate) const START: &str = "2026-03-31T10:00:00Z";

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::Relaxed)).unwrap()
    }
}

struct CountedIds(AtomicU64);

impl Ids for CountedIds {
    fn next(&self, now: Timestamp) -> Id {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let millis = u64::try_from(now.as_millisecond()).unwrap();
        let random = [0, 0, count[0], count[1], count[2], count[3], count[4], count[5], count[6], count[7]];
        Id(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

/// Does what it is told by the data that it gets.
struct PlayedPlugins;

#[async_trait]
impl Plugins for PlayedPlugins {
    async fn call(
        &self,
        plugin: &PluginId,
        _: &str,
        call: Call,
        _: &CallContext,
        _: &mut dyn Host,
    ) -> Result<Reply, CallError> {
        match call {
            Call::BeforeWrite(batch) => {
                let title = batch.rows.first().and_then(|row| row.changes.get("title").as_text().map(str::to_owned));
                let fault = fault(plugin, "before-write", title.as_deref().unwrap_or_default());
                fault.map_or(Ok(Reply::Verdicts(vec![])), Err)
            }
            Call::Action { input, .. } => {
                let asked: Json = serde_json::from_str(&input).unwrap();
                let what = asked["what"].as_str().unwrap_or_default();
                let answer = if what == "nonsense" { "{".to_owned() } else { json!({ "did": what }).to_string() };
                fault(plugin, "action", what).map_or(Ok(Reply::Json(answer)), Err)
            }
            Call::Route(request) => {
                let what = request.query.iter().find(|(name, _)| name == "what").map_or("", |(_, value)| value);
                let status = if what == "nonsense" { 42 } else { 200 };
                let body = json!({ "query": request.query, "body": String::from_utf8_lossy(&request.body) });
                let content_type = "application/json".to_owned();
                let answer = RouteResponse { status, content_type, body: body.to_string().into() };
                fault(plugin, "route", what).map_or(Ok(Reply::Response(answer)), Err)
            }
            _ => Ok(Reply::Done),
        }
    }
}

/// What becomes of a call, if the data say that it fails.
fn fault(plugin: &PluginId, handler: &'static str, what: &str) -> Option<CallError> {
    let plugin = plugin.clone();
    match what {
        "limit" => Some(CallError::Limit { plugin, handler, limit: "computing time", figure: "50 ms".to_owned() }),
        "trap" => Some(CallError::Trap { plugin, handler, cause: "unreachable".to_owned() }),
        "unavailable" => Some(CallError::Unavailable { plugin, cause: "too many calls at once".to_owned() }),
        "panic" => panic!("the runtime has a fault"),
        other => {
            let code = other.strip_prefix("refuse ")?;
            let detail = json!({ "alternatives": ["2026-04-01T10:00:00Z"], "status": 200, "code": "mine" });
            let failure = Failure {
                field: Some("title".to_owned()),
                detail: Some(detail),
                ..Failure::new(code, "take another time")
            };
            Some(CallError::Refused { plugin, failure })
        }
    }
}

/// An API to be asked.
pub(crate) struct TestApp {
    pub(crate) workspace: Workspace,
    pub(crate) owner: String,
    router: Router,
    clock: Arc<TestClock>,
    _folder: tempfile::TempDir,
}

impl TestApp {
    /// With the booking plugin, an owner's token and the usual limits.
    pub(crate) async fn new() -> Self {
        Self::with_limits(ApiLimits::default()).await
    }

    pub(crate) async fn with_limits(limits: ApiLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let start: Timestamp = START.parse().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(start.as_microsecond())));
        let ports = Ports {
            store: SqliteStore::open(&folder.path().join("workspace.db"), Options::default()).await.unwrap(),
            plugins: Arc::new(PlayedPlugins),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            ids: Arc::new(CountedIds(AtomicU64::new(1))),
        };
        let workspace = Workspace::open(ports).await.unwrap();
        let manifest = Arc::new(toml::from_str(BOOKING).unwrap());
        let package = Package { manifest, manifest_text: BOOKING.to_owned(), digest: "d1".to_owned() };
        workspace.install(package).await.unwrap();
        let router = router(ApiState { limits, ..ApiState::new(workspace.clone()) });
        let mut app = Self { workspace, owner: String::new(), router, clock, _folder: folder };
        app.owner = app.token(Role::Owner).await;
        app
    }

    /// A token of somebody with that role.
    pub(crate) async fn token(&self, role: Role) -> String {
        self.token_until(role, None).await
    }

    pub(crate) async fn token_until(&self, role: Role, expires_at: Option<Timestamp>) -> String {
        let (token, sha256) = new_token().unwrap();
        let stored = StoredToken { sha256, name: format!("test {}", role.as_str()), role, expires_at };
        self.workspace.insert_token(&stored).await.unwrap();
        token
    }

    pub(crate) fn pass_seconds(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }

    /// A request by the owner.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        self.ask_as_nobody(method, path).token(&self.owner)
    }

    /// A request by nobody.
    pub(crate) fn ask_as_nobody(&self, method: &str, path: &str) -> Ask<'_> {
        let head = Request::builder().method(method).uri(path);
        Ask { app: self, head, body: Body::empty(), request_id: Some("test") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).send().await
    }

    /// A new record; its answer must be 201.
    pub(crate) async fn create(&self, path: &str, body: Json) -> Answer {
        let answer = self.ask("POST", path).json(&body).send().await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        answer
    }

    /// A new contact's id.
    pub(crate) async fn contact(&self, name: &str) -> String {
        self.create("/api/v1/contacts", json!({ "name": name })).await.id()
    }
}

/// A request on its way.
pub(crate) struct Ask<'a> {
    app: &'a TestApp,
    head: axum::http::request::Builder,
    body: Body,
    request_id: Option<&'static str>,
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head = self.head.header(name, value);
        self
    }

    pub(crate) fn request_id(mut self, id: Option<&'static str>) -> Self {
        self.request_id = id;
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Json) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    /// Gives the body as it comes.
    pub(crate) async fn send_unread(self) -> Body {
        self.respond().await.into_body()
    }

    async fn respond(self) -> axum::response::Response {
        let head = self.request_id.into_iter().fold(self.head, |head, id| head.header("x-request-id", id));
        let request = head.body(self.body).unwrap();
        self.app.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(self) -> Answer {
        let (head, body) = self.respond().await.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn pretty(&self) -> String {
        serde_json::to_string_pretty(&self.json()).unwrap()
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's status and code, after a look at what every problem must have.
    pub(crate) fn problem(&self) -> (u16, String) {
        let json = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{json}");
        assert_eq!(json["status"], self.status.as_u16(), "{json}");
        assert_eq!(json["request_id"], self.header("x-request-id"), "{json}");
        let code = json["code"].as_str().unwrap().to_owned();
        assert_eq!(json["type"], format!("urn:pergola:problem:{}", code.replace(' ', "_")), "{json}");
        assert!(json["title"].is_string() && json["detail"].is_string(), "{json}");
        (self.status.as_u16(), code)
    }

    /// Texts of one field of all items.
    pub(crate) fn column(&self, key: &str) -> Vec<String> {
        let json = self.json();
        json["items"].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap_or("-").to_owned()).collect()
    }
}
