//! What was last said about an answer's age: within one second every hit says the same.

use std::sync::Mutex;

use http::HeaderValue;

use super::status;

/// The texts of `Age` and of a hit's `Cache-Status`, as they were last made. Nobody waits for them: who finds them in
/// use makes its own.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<Option<Texts>>);

#[derive(Debug)]
struct Texts {
    age: u64,
    ttl: i64,
    of_age: HeaderValue,
    of_hit: HeaderValue,
}

impl Said {
    /// `Age` and `Cache-Status` for this age and time to live, in seconds.
    pub(super) fn texts(&self, age: u64, ttl: i64) -> (HeaderValue, HeaderValue) {
        let Ok(mut last) = self.0.try_lock() else { return (age.into(), status::hit(ttl)) };
        let texts = match last.take() {
            Some(texts) if (texts.age, texts.ttl) == (age, ttl) => texts,
            _ => Texts { age, ttl, of_age: age.into(), of_hit: status::hit(ttl) },
        };
        let Texts { of_age, of_hit, .. } = last.insert(texts);
        (of_age.clone(), of_hit.clone())
    }
}

/// A copy has said nothing yet.
impl Clone for Said {
    fn clone(&self) -> Self {
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_true_now_and_makes_it_once() {
        let said = Said::default();
        let text = |age, ttl| {
            let (age, hit) = said.texts(age, ttl);
            format!("{} {}", age.to_str().unwrap(), hit.to_str().unwrap())
        };
        assert_eq!(text(1, 59), "1 gateway; hit; ttl=59");
        assert_eq!(text(1, 58), "1 gateway; hit; ttl=58");
        assert_eq!(text(2, 58), "2 gateway; hit; ttl=58");
        let found = allocation_counter::measure(|| drop(said.texts(2, 58)));
        assert_eq!(found.count_total, 0);
    }
}
