//! Requests that switch protocols: a connection of their own, and a tunnel if the upstream agrees.

use http::{Request, Response, request::Parts};
use hyper::upgrade::OnUpgrade;

use crate::{
    Body, Clock, Facts, Refusal, UpstreamError,
    error::ErrorKind,
    forwarding,
    random::Random,
    tunnel::{Answer, Handshake, Hold, Opening, Switched, Upgrades, Wanted},
};

/// A request that may switch, in its extensions on the way to an endpoint.
#[derive(Clone, Debug)]
pub(super) struct Switch {
    handshake: Handshake,
    client: OnUpgrade,
    hold: Option<Hold>,
    facts: Option<Facts>,
}

impl Switch {
    /// Takes what a switch needs out of a head; `None` for a request like any other.
    ///
    /// # Errors
    /// Those of [`Handshake::of`].
    pub(super) fn take(
        head: &mut Parts,
        has_body: bool,
        upgrades: &Upgrades,
        random: &Random,
    ) -> Result<Option<Self>, Refusal> {
        let Some(wanted) = head.extensions.remove::<Wanted>().or_else(|| Wanted::of(head)) else {
            return Ok(None);
        };
        let Some(handshake) = Handshake::of(head, &wanted, has_body, upgrades, random)? else {
            return Ok(None);
        };
        // Without it the server in front cannot switch, so nobody else is asked to.
        let Some(client) = head.extensions.remove::<OnUpgrade>() else { return Ok(None) };
        let hold = head.extensions.remove::<Hold>();
        let facts = Facts::get(&head.extensions).cloned();
        Ok(Some(Self { handshake, client, hold, facts }))
    }

    /// The switch of a request that is sent.
    pub(super) fn of<B>(request: &Request<B>) -> Option<&Self> {
        request.extensions().get()
    }

    /// Puts it into a head that is ready to be forwarded.
    pub(super) fn put(self, head: &mut Parts) {
        self.handshake.write(&mut head.headers);
        head.extensions.insert(self);
    }

    /// The answer's head and body as the client gets them, if the upstream switched; else the answer as it came.
    ///
    /// # Errors
    /// When it switched to something that was not asked for.
    pub(super) fn judge<B>(
        self,
        mut response: Response<B>,
        upgrades: &Upgrades,
        clock: &Clock,
        random: &Random,
    ) -> Result<Judged<B>, UpstreamError> {
        match self.handshake.judge(response.status(), response.headers()) {
            Answer::Ordinary => return Ok(Judged::Ordinary(response)),
            Answer::Wrong(why) => return Err(UpstreamError::because(ErrorKind::Protocol, why)),
            Answer::Switched => {}
        }
        let upstream = hyper::upgrade::on(&mut response);
        let (mut head, _) = response.into_parts();
        head.extensions = http::Extensions::new();
        head.extensions.insert(Switched);
        forwarding::remove_hop_by_hop(&mut head.headers);
        self.handshake.answer(&mut head.headers);
        let opening = Opening {
            client: self.client,
            upstream,
            hold: self.hold,
            facts: self.facts,
            clock: clock.clone(),
            random: random.clone(),
        };
        let body = opening.body(&self.handshake, upgrades);
        Ok(Judged::Switched(Response::from_parts(head, body)))
    }
}

/// An answer to a handshake.
pub(super) enum Judged<B> {
    Switched(Response<Body>),
    Ordinary(Response<B>),
}
