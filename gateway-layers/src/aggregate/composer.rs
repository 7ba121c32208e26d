use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Instant,
};

use gateway_core::{
    Body, Clock, Facts, Refusal,
    budget::{Buffers, Lease},
    facts::Principal,
    meter::Meter,
    refusal::Asked,
};
use http::{Method, Request, Response, StatusCode, request::Parts};
use http_body::Body as HttpBody;
use serde_json::Value;
use tower_service::Service;

use super::{
    Plan, PlanError,
    answer::answer,
    checked::Checked,
    counts::Counts,
    fetch::{Fetched, fetch},
    freshness::Freshness,
    given::Given,
    merge::{Part, Whole},
    outcome::{Failed, Kind, Rule, Ruling},
    request::{Means, end, request},
    service::admit,
    template::{Found, Source},
};

/// Aggregation in code: an `async` function asks the branches of a [`Plan`] and makes the answer of what they give.
/// Each branch keeps its rule, its time and its bounds; what fails is noted, and the answer's `Cache-Control`, `Vary` and
/// `x-aggregate` are made, as in an [`AggregateLayer`](super::AggregateLayer).
///
/// ```
/// use gateway_core::Body;
/// use gateway_layers::aggregate::{Branch, Composer, Page, Plan};
/// use http::{Request, Response};
/// use serde_json::json;
/// use tower::{ServiceExt, service_fn};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
/// let shop = service_fn(|request: Request<Body>| async move {
///     Ok::<_, std::convert::Infallible>(Response::new(Body::from(match request.uri().path() {
///         "/users/7" => r#"{"name": "Ada", "sku": "tea"}"#,
///         "/prices/tea" => r#"{"amount": 7}"#,
///         _ => "oh",
///     })))
/// });
/// let plan = Plan::at("/profile/{id}")
///     .branch(Branch::new("user", "/users/{id}").service(shop))
///     .branch(Branch::new("news", "/news").service(shop).fallback(json!([])))
///     .branch(Branch::new("price", "/prices/{sku}").service(shop).optional());
/// let profile = Composer::new(plan)?.service(|page: Page| async move {
///     let (user, news) = tokio::try_join!(page.ask("user", &[]), page.ask("news", &[]))?;
///     let price = page.ask("price", &[("sku", user["sku"].as_str().unwrap_or_default())]).await?;
///     Ok(json!({"greeting": format!("Hello, {}", user["name"]), "price": price["amount"], "news": news}))
/// });
///
/// let answer = profile.oneshot(Request::get("/profile/7").body(Body::empty())?).await?;
/// assert_eq!(answer.headers()["x-aggregate"], "partial");
/// let text = Body::collect_limited(answer, 1 << 20).await?;
/// let page: serde_json::Value = serde_json::from_slice(&text)?;
/// assert_eq!((&page["greeting"], &page["price"]), (&json!("Hello, \"Ada\""), &json!(7)));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Composer {
    plan: Arc<Checked>,
    means: Means,
}

impl Composer {
    /// A composer of these branches. Each has a service of its own; groups do not count.
    ///
    /// # Errors
    /// Every mistake in the plan; and a branch without a service, or one that waits for another: that is for the code.
    pub fn new(plan: Plan) -> Result<Self, PlanError> {
        let plan = Arc::new(Checked::by_hand(plan)?);
        let means = Means { buffers: Buffers::default(), clock: Clock::default(), counts: Arc::default() };
        Ok(Self { plan, means })
    }

    /// The memory from which answers are taken; see [`AggregateLayer::buffers`](super::AggregateLayer::buffers).
    #[must_use]
    pub fn buffers(mut self, buffers: Buffers) -> Self {
        self.means.buffers = buffers;
        self
    }

    /// Another clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.means.clock = clock;
        self
    }

    /// Counts in this meter; see [`AggregateLayer::meter`](super::AggregateLayer::meter).
    #[must_use]
    pub fn meter(mut self, meter: &Meter, place: &str) -> Self {
        self.means.counts = Arc::new(Counts::new(meter, place, &self.plan.steps));
        self
    }

    /// The service whose answers this function makes; the end of a route, or a route of axum.
    ///
    /// It **answers** `GET` and `HEAD` without a body; 404 `no_route` beside the plan's path, 504 `aggregate_timeout` where
    /// the function takes longer than the plan, and whatever the function refuses with.
    pub fn service<F, R>(self, handler: F) -> Composed<F>
    where
        F: Fn(Page) -> R,
        R: Future<Output = Result<Value, Refusal>>,
    {
        Composed { composer: self, handler }
    }
}

impl fmt::Debug for Composer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composer").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// The service of a [`Composer`]. A call is boxed once, and each branch twice.
#[derive(Clone)]
pub struct Composed<F> {
    composer: Composer,
    handler: F,
}

impl<F, R, B> Service<Request<B>> for Composed<F>
where
    F: Fn(Page) -> R,
    R: Future<Output = Result<Value, Refusal>> + Send + 'static,
    B: HttpBody,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Composer { plan, means } = &self.composer;
        let admitted = match plan.matches(request.uri().path()) {
            true => admit(&request),
            false => Err(Refusal::new(StatusCode::NOT_FOUND, "no_route", "nothing is composed at this path")),
        };
        let asked = Asked::of_request(&request);
        if let Err(refusal) = admitted {
            return Box::pin(std::future::ready(Ok(refusal.into_response(&asked))));
        }
        let page = Page::new(plan, means, request.into_parts().0);
        let value = (self.handler)(page.clone());
        Box::pin(async move {
            let Inner { means, until, .. } = &*page.0;
            let value = means.clock.timeout(*until, value).await.unwrap_or_else(|| {
                let text = "the answer was not composed in time";
                Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "aggregate_timeout", text))
            });
            Ok(value
                .and_then(|value| page.answer(value))
                .unwrap_or_else(|refusal| refusal.into_response(&asked)))
        })
    }
}

impl<F> fmt::Debug for Composed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composed").field("composer", &self.composer).finish_non_exhaustive()
    }
}

/// One request at a [`Composer`], and the branches that may be asked for it. Cloning it shares it.
///
/// It shows of the request only what the answer's `Vary` and `Cache-Control` tell caches about.
#[derive(Clone)]
pub struct Page(Arc<Inner>);

struct Inner {
    plan: Arc<Checked>,
    means: Means,
    head: Parts,
    facts: Facts,
    until: Instant,
    told: Mutex<Told>,
}

/// What came of the branches so far.
#[derive(Default)]
struct Told {
    /// Of nothing if no branch answered.
    freshness: Option<Freshness>,
    is_private: bool,
    notes: Vec<Value>,
    leases: Vec<Lease>,
}

impl Page {
    fn new(plan: &Arc<Checked>, means: &Means, mut head: Parts) -> Self {
        let facts = Facts::of(&mut head.extensions, &means.clock).clone();
        let until = end(plan, means, &facts);
        let told = Mutex::new(Told { is_private: plan.is_private, ..Told::default() });
        Self(Arc::new(Inner { plan: Arc::clone(plan), means: means.clone(), head, facts, until, told }))
    }

    /// Asks a branch. `values` are for the `{name}`s of its target that are no parameters of the path. Dropping the
    /// future drops the call.
    ///
    /// If the branch fails: `null` if it is optional, its fallback if it has one; both are noted.
    ///
    /// # Errors
    /// The refusal that is to be the whole's, if the branch is required. 500 `unknown_branch` if there is none by this
    /// name.
    pub async fn ask(&self, branch: &str, values: &[(&str, &str)]) -> Result<Value, Refusal> {
        let Inner { plan, means, .. } = &*self.0;
        let Some(index) = plan.steps.iter().position(|step| step.name == branch) else {
            let text = "the request failed inside the gateway";
            let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "unknown_branch", text);
            return Err(refusal.because(format!("there is no branch `{branch}`")));
        };
        let step = &plan.steps[index];
        let end = self.part(index, values).await;
        means.counts.ended(index, end.as_ref().err().map(Failed::kind));
        match end {
            Ok(part) => {
                let (value, freshness, lease) = part.into_parts();
                let mut told = self.told();
                told.freshness = Some(told.freshness.unwrap_or(Freshness::FOREVER).and(freshness));
                told.leases.extend(lease);
                Ok(value)
            }
            Err(failed) => {
                let ruling = step.rule.ruling(&failed);
                if let Ruling::Refuse(_) = ruling {
                    return Err(failed.refusal(branch));
                }
                self.told().notes.push(failed.note(branch, ruling == Ruling::Instead));
                Ok(if let Rule::Fallback(value) = &step.rule { value.clone() } else { Value::Null })
            }
        }
    }

    /// A parameter of the path, decoded; `None` where the path has none by this name or it is not UTF-8.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        self.given(&Source::Parameter(name.to_owned()))
    }

    /// A parameter of the client's query, decoded; `None` where there is none by this name, or more than one.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        self.given(&Source::Query(name.to_owned()))
    }

    /// Who is calling. From here on the answer is private.
    #[must_use]
    pub fn principal(&self) -> Option<&Principal> {
        self.told().is_private = true;
        self.0.facts.principal()
    }

    async fn part(&self, index: usize, values: &[(&str, &str)]) -> Result<Part, Failed> {
        let Inner { plan, means, head, facts, until, .. } = &*self.0;
        let step = &plan.steps[index];
        let given = Given::new(plan.pattern.as_ref(), head);
        let target = step.template.fill(|source| {
            let passed = values.iter().find(|(name, _)| *source == Source::Parameter((*name).to_owned()));
            passed.map_or_else(|| given.find(source), |(_, value)| Found::Value(value.as_bytes().into()))
        })?;
        let stack =
            step.service.as_ref().ok_or_else(|| Failed::new(Kind::Unavailable, "it has no service"))?;
        let (request, facts, bounds) = request(step, target, head, facts, *until, means);
        let call = stack.call(request.map(|()| Body::empty()));
        let Fetched { value, freshness, lease } = Box::pin(fetch(call, facts, bounds)).await?;
        Part::new(step, value, freshness, Some(lease))
    }

    fn given(&self, source: &Source) -> Option<String> {
        match Given::new(self.0.plan.pattern.as_ref(), &self.0.head).find(source) {
            Found::Value(value) => String::from_utf8(value.into_owned()).ok(),
            Found::Nothing | Found::Twice => None,
        }
    }

    fn answer(&self, mut value: Value) -> Result<Response<Body>, Refusal> {
        let Inner { plan, means, head, facts, .. } = &*self.0;
        let Told { freshness, is_private, notes, leases } = std::mem::take(&mut *self.told());
        let is_complete = notes.is_empty();
        let mut freshness = if is_complete { freshness.unwrap_or(Freshness::NONE) } else { Freshness::NONE };
        if is_private {
            freshness = freshness.private();
        }
        if let (false, Some(member), Value::Object(map)) = (is_complete, &plan.errors, &mut value) {
            map.insert(member.clone(), notes.into());
        }
        let whole = Whole { value, is_complete, freshness, conflicts: Vec::new(), _leases: leases };
        answer(plan, &whole, &means.buffers, facts, head.method == Method::HEAD)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page").field("target", &self.0.head.uri).finish_non_exhaustive()
    }
}
