//! [`Discover`]: where the list of endpoints comes from.

use std::{collections::HashSet, fmt, future::pending, pin::Pin, sync::Arc};

use super::{Endpoint, UpstreamConfigError};

/// An endpoint as a list describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Such as `http://10.0.0.1:8080`. It is the endpoint's identity: in the next list, the same URL is the same
    /// endpoint.
    pub url: Arc<str>,
    /// Its share, relative to the others. 1; 0 for none.
    pub weight: u32,
    /// Its group: 0 comes first.
    pub priority: u8,
    /// Where it stands.
    pub zone: Option<Arc<str>>,
}

impl Member {
    /// The endpoint with this URL, with weight 1, in the first group, in no zone.
    pub fn new(url: impl Into<Arc<str>>) -> Self {
        Self { url: url.into(), weight: 1, priority: 0, zone: None }
    }

    /// With its URL in the form that tells endpoints apart.
    pub(crate) fn checked(self) -> Result<Self, UpstreamConfigError> {
        let url = Arc::clone(Endpoint::parse(&self.url)?.url());
        Ok(Self { url, ..self })
    }
}

impl<T: Into<Arc<str>>> From<T> for Member {
    fn from(url: T) -> Self {
        Self::new(url)
    }
}

/// A source of endpoints: a file, DNS, a registry. It is asked beside the requests, which never wait for it.
pub trait Discover: Send {
    /// Waits for news. `None` if there will never be any more; what is known then stays.
    ///
    /// It may be dropped while it waits, and is asked again then.
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<News>> + Send + '_>>;
}

/// What a source has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// This is the whole list.
    All {
        /// The endpoints.
        members: Vec<Member>,
        /// Whether the source would know if there were others. An empty list counts only then: a resolver that was
        /// just started, or a cut answer, must not remove everything.
        authoritative: bool,
    },
    /// This one is there, perhaps with another weight than before.
    There(Member),
    /// The one with this URL is gone.
    Gone(Arc<str>),
}

/// A list that is always the same.
#[derive(Clone, Debug)]
pub struct Fixed(Option<Vec<Member>>);

impl Fixed {
    /// These endpoints.
    pub fn new(members: impl IntoIterator<Item = impl Into<Member>>) -> Self {
        Self(Some(members.into_iter().map(Into::into).collect()))
    }
}

impl Discover for Fixed {
    fn next(&mut self) -> Pin<Box<dyn Future<Output = Option<News>> + Send + '_>> {
        let members = self.0.take();
        Box::pin(async {
            match members {
                Some(members) => Some(News::All { members, authoritative: true }),
                None => pending().await,
            }
        })
    }
}

/// The list that comes of all news so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    members: Vec<Member>,
}

impl Roster {
    /// The most endpoints of one list; those past it are left out, and it is said. 10,000.
    pub const MOST: usize = 10_000;

    /// The list.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Takes the news in. Whether the list is another one now.
    ///
    /// # Errors
    /// What was not taken, and why. What was known stays.
    pub fn learn(&mut self, news: News) -> Result<bool, NotTaken> {
        let before = self.members.clone();
        match news {
            News::All { members, authoritative: false } if members.is_empty() && !before.is_empty() => {
                return Err(NotTaken::Empty);
            }
            News::All { members, .. } => {
                let mut seen = HashSet::new();
                self.members =
                    members.into_iter().filter(|member| seen.insert(Arc::clone(&member.url))).collect();
            }
            News::There(member) => match self.members.iter_mut().find(|known| known.url == member.url) {
                Some(known) => *known = member,
                None => self.members.push(member),
            },
            News::Gone(url) => self.members.retain(|member| member.url != url),
        }
        let excess = self.members.len().saturating_sub(Self::MOST);
        self.members.truncate(Self::MOST);
        match excess {
            0 => Ok(self.members != before),
            _ if self.members == before => Err(NotTaken::TooMany { excess, changed: false }),
            _ => Err(NotTaken::TooMany { excess, changed: true }),
        }
    }
}

/// Why news was not taken, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// The list is empty, and the source would not know better.
    Empty,
    /// There are more than [`Roster::MOST`].
    TooMany {
        /// How many were left out.
        excess: usize,
        /// Whether the list is another one all the same.
        changed: bool,
    },
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the list was empty, and its source may not know better"),
            Self::TooMany { excess, .. } => {
                write!(f, "{excess} endpoints past the first {} were left out", Roster::MOST)
            }
        }
    }
}

impl std::error::Error for NotTaken {}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(urls: &[&str], authoritative: bool) -> News {
        News::All { members: urls.iter().copied().map(Member::new).collect(), authoritative }
    }

    #[test]
    fn an_empty_list_counts_only_from_who_knows() {
        let mut roster = Roster::default();
        assert_eq!(roster.learn(all(&["a", "b", "a"], false)), Ok(true));
        assert_eq!(roster.learn(all(&[], false)), Err(NotTaken::Empty));
        assert_eq!(roster.members().len(), 2, "what was known stays, each once");
        assert_eq!(roster.learn(all(&["a", "b"], true)), Ok(false), "no news");
        assert_eq!(roster.learn(all(&[], true)), Ok(true));
        assert!(roster.members().is_empty());
        assert_eq!(roster.learn(all(&[], false)), Ok(false), "nothing to lose");
    }

    #[test]
    fn single_changes_are_taken_one_by_one() {
        let mut roster = Roster::default();
        assert_eq!(roster.learn(News::There(Member::new("a"))), Ok(true));
        assert_eq!(roster.learn(News::There(Member { weight: 3, ..Member::new("a") })), Ok(true));
        assert_eq!(roster.members(), [Member { weight: 3, ..Member::new("a") }]);
        assert_eq!(roster.learn(News::Gone("b".into())), Ok(false));
        assert_eq!(roster.learn(News::Gone("a".into())), Ok(true));
    }

    #[test]
    fn a_list_has_an_end() {
        let urls: Vec<String> = (0..Roster::MOST + 5).map(|number| number.to_string()).collect();
        let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
        let mut roster = Roster::default();
        assert_eq!(roster.learn(all(&urls, true)), Err(NotTaken::TooMany { excess: 5, changed: true }));
        assert_eq!(roster.members().len(), Roster::MOST);
    }

    #[tokio::test]
    async fn a_fixed_list_is_told_once() {
        let mut fixed = Fixed::new(["a"]);
        assert_eq!(fixed.next().await, Some(all(&["a"], true)));
        let mut next = fixed.next();
        let waits =
            std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
    }
}
