use gateway_core::facts::Principal;

/// What a caller must have. Every rule that is set must be kept; names are compared letter by letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Scopes that the caller must have, all of them.
    pub scopes: Vec<String>,
    /// Scopes of which the caller must have one.
    pub any_scope: Vec<String>,
    /// Roles of which the caller must have one.
    pub roles: Vec<String>,
    /// Groups of which the caller must be in one.
    pub allow: Vec<String>,
    /// Groups in none of which the caller may be, whatever else it has.
    pub deny: Vec<String>,
}

/// Why a caller may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Nobody said who it is.
    Caller,
    /// It is in a group that is denied.
    Denied,
    /// It is in no group that is allowed.
    Group,
    /// It has none of the roles.
    Role,
    /// It was not allowed what this takes.
    Scope,
}

impl Policy {
    /// What the caller lacks, if anything. A group that is denied counts before everything else.
    ///
    /// # Errors
    /// The first thing that it lacks.
    pub fn check(&self, caller: Option<&Principal>) -> Result<(), Lack> {
        let caller = caller.ok_or(Lack::Caller)?;
        let has_one = |wanted: &[String], has: &[String]| wanted.iter().any(|one| has.contains(one));
        let is_kept = |wanted: &[String], has: &[String]| wanted.is_empty() || has_one(wanted, has);
        if has_one(&self.deny, caller.groups()) {
            return Err(Lack::Denied);
        }
        if !is_kept(&self.allow, caller.groups()) {
            return Err(Lack::Group);
        }
        if !is_kept(&self.roles, caller.roles()) {
            return Err(Lack::Role);
        }
        let has_all = self.scopes.iter().all(|scope| caller.scopes().contains(scope));
        if !has_all || !is_kept(&self.any_scope, caller.scopes()) {
            return Err(Lack::Scope);
        }
        Ok(())
    }

    /// The scopes to name in the challenge: those that must be there, or else those of which one must be.
    #[must_use]
    pub fn needed_scopes(&self) -> &[String] {
        if self.scopes.is_empty() { &self.any_scope } else { &self.scopes }
    }
}

impl Lack {
    pub(super) const fn why(self) -> &'static str {
        match self {
            Self::Caller => "nobody said who the caller is",
            Self::Denied => "the caller is in a denied group",
            Self::Group => "the caller is in no allowed group",
            Self::Role => "the caller has none of the roles",
            Self::Scope => "the caller lacks a scope",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(words: &str) -> Vec<String> {
        words.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn every_rule_counts_and_deny_counts_first() {
        let caller = |scopes: &str, roles: &str, groups: &str| {
            Principal::new("issuer", "ada")
                .with_scopes(list(scopes))
                .with_roles(list(roles))
                .with_groups(list(groups))
        };
        let policy = |scopes: &str, any: &str, roles: &str, allow: &str, deny: &str| Policy {
            scopes: list(scopes),
            any_scope: list(any),
            roles: list(roles),
            allow: list(allow),
            deny: list(deny),
        };
        for (policy, caller, expected) in [
            (policy("", "", "", "", ""), caller("", "", ""), Ok(())),
            (policy("a b", "", "", "", ""), caller("b a c", "", ""), Ok(())),
            (policy("a b", "", "", "", ""), caller("a", "", ""), Err(Lack::Scope)),
            (policy("a", "", "", "", ""), caller("A aa", "", ""), Err(Lack::Scope)),
            (policy("", "a b", "", "", ""), caller("b", "", ""), Ok(())),
            (policy("", "a b", "", "", ""), caller("c", "", ""), Err(Lack::Scope)),
            (policy("a", "b", "", "", ""), caller("a", "", ""), Err(Lack::Scope)),
            (policy("", "", "x y", "", ""), caller("x", "y", ""), Ok(())),
            (policy("", "", "x y", "", ""), caller("x", "z", "x"), Err(Lack::Role)),
            (policy("", "", "", "g", ""), caller("", "", "g h"), Ok(())),
            (policy("", "", "", "g", ""), caller("", "g", "h"), Err(Lack::Group)),
            (policy("", "", "", "", "h"), caller("", "", "g"), Ok(())),
            (policy("", "", "", "g", "h"), caller("", "", "g h"), Err(Lack::Denied)),
            (policy("a", "", "x", "g", "h"), caller("", "", "h"), Err(Lack::Denied)),
            (policy("a", "", "x", "g", ""), caller("a", "x", "g"), Ok(())),
        ] {
            assert_eq!(policy.check(Some(&caller)), expected, "{policy:?}");
            assert_eq!(policy.check(None), Err(Lack::Caller));
        }
    }

    proptest! {
        #[test]
        fn more_rules_never_let_more_pass(
            rules in prop::collection::vec(prop::collection::vec("[abc]", 0..3), 5),
            has in prop::collection::vec(prop::collection::vec("[abc]", 0..4), 3),
        ) {
            let caller = Principal::new("i", "x").with_scopes(&has[0]).with_roles(&has[1]).with_groups(&has[2]);
            let [scopes, any_scope, roles, allow, deny] = <[_; 5]>::try_from(rules).unwrap();
            let all = Policy { scopes, any_scope, roles, allow, deny };
            if all.check(Some(&caller)).is_ok() {
                let parts = [
                    Policy { scopes: all.scopes.clone(), ..Policy::default() },
                    Policy { any_scope: all.any_scope.clone(), ..Policy::default() },
                    Policy { roles: all.roles.clone(), ..Policy::default() },
                    Policy { allow: all.allow.clone(), ..Policy::default() },
                    Policy { deny: all.deny, ..Policy::default() },
                ];
                for part in parts {
                    prop_assert_eq!(part.check(Some(&caller)), Ok(()));
                }
            }
        }
    }
}
