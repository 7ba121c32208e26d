use super::{
    cover::Cover,
    field::{Field, FieldError, Step},
    plan::{Effect, Plan},
};

/// Rules as they are gathered; errors are told at the end, all of them by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlanBuilder {
    rules: Vec<(String, Wanted)>,
}

#[derive(Clone, Debug)]
enum Wanted {
    Allow,
    Drop,
    Cover(Cover),
    Rename(String),
}

impl Wanted {
    const fn word(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Drop => "drop",
            Self::Cover(_) => "mask",
            Self::Rename(_) => "rename",
        }
    }

    /// A field may be allowed and have another name; everything else twice is a mistake.
    fn contradicts(&self, other: &str) -> bool {
        !matches!((self.word(), other), ("allow", "rename") | ("rename", "allow"))
    }
}

impl PlanBuilder {
    pub(crate) fn allow(&mut self, field: impl Into<String>) {
        self.rules.push((field.into(), Wanted::Allow));
    }

    pub(crate) fn drop_field(&mut self, field: impl Into<String>) {
        self.rules.push((field.into(), Wanted::Drop));
    }

    pub(crate) fn cover(&mut self, field: impl Into<String>, cover: Cover) {
        self.rules.push((field.into(), Wanted::Cover(cover)));
    }

    pub(crate) fn rename(&mut self, field: impl Into<String>, to: impl Into<String>) {
        self.rules.push((field.into(), Wanted::Rename(to.into())));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The rules in words.
    pub(crate) fn words(&self) -> Vec<String> {
        let word = |(field, wanted): &(String, Wanted)| match wanted {
            Wanted::Rename(to) => format!("rename {field} to {to}"),
            wanted => format!("{} {field}", wanted.word()),
        };
        self.rules.iter().map(word).collect()
    }

    /// Every rule that cannot be kept: its field is none, has another rule already, or has a new name that is none.
    pub(crate) fn errors(&self) -> Vec<FieldError> {
        let mut errors = Vec::new();
        let mut seen: Vec<(&str, &str)> = Vec::new();
        let renames = self.rules.iter().filter(|(_, wanted)| matches!(wanted, Wanted::Rename(_))).count();
        for (text, wanted) in &self.rules {
            let reason = match (text.parse::<Field>(), wanted) {
                (Err(error), _) => error.reason,
                (Ok(field), Wanted::Rename(_)) if !field.ends_in_a_name() => {
                    "`*` cannot be renamed: several members would have one name".to_owned()
                }
                (_, Wanted::Rename(to)) if to.is_empty() || to.len() > Field::MAX_NAME => {
                    format!("the new name `{to}` must have 1 to {} bytes", Field::MAX_NAME)
                }
                (_, Wanted::Rename(_)) if renames > MAX_RENAMES => {
                    format!("more than {MAX_RENAMES} fields are renamed")
                }
                (_, Wanted::Cover(cover)) if cover.error().is_some() => {
                    cover.error().unwrap_or_default().to_owned()
                }
                _ if self.rules.len() > MAX_RULES => format!("there are more than {MAX_RULES} rules"),
                _ => match seen.iter().find(|(field, other)| *field == text && wanted.contradicts(other)) {
                    Some((_, other)) => format!("it has two rules, {other} and {}", wanted.word()),
                    None => {
                        seen.push((text, wanted.word()));
                        continue;
                    }
                },
            };
            errors.push(FieldError { field: text.clone(), reason });
        }
        errors
    }

    /// The plan of these rules.
    pub(crate) fn build(self) -> Result<Plan, FieldError> {
        if let Some(error) = self.errors().into_iter().next() {
            return Err(error);
        }
        let mut rows: Vec<(Vec<Step>, Effect)> = Vec::new();
        let (mut covers, mut targets) = (Vec::new(), Vec::<Box<[u8]>>::new());
        for (text, wanted) in self.rules {
            let field: Field = text.parse()?;
            let effect = match wanted {
                Wanted::Allow => Effect::Allow,
                Wanted::Drop => Effect::Drop,
                Wanted::Cover(cover) => {
                    covers.push(cover);
                    Effect::Cover(covers.len() - 1)
                }
                Wanted::Rename(to) => {
                    let quoted = serde_json::Value::from(to.as_str()).to_string().into_bytes();
                    let known = targets.iter().position(|target| **target == *quoted);
                    let target = known.unwrap_or(targets.len());
                    if known.is_none() {
                        targets.push(quoted.into());
                    }
                    rows.push((field.sibling(&to), Effect::Target(target)));
                    Effect::Rename(target)
                }
            };
            rows.push((field.steps().to_vec(), effect));
        }
        Ok(Plan::of(&rows, covers, targets))
    }
}

/// Each may need 33 bits in every state.
const MAX_RULES: usize = 1_000;

/// One bit each in every object.
const MAX_RENAMES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_cannot_be_kept_are_told_by_field() {
        let mut builder = PlanBuilder::default();
        builder.drop_field("a");
        builder.rename("a", "b");
        builder.rename("a.*", "b");
        builder.rename("c", "");
        builder.allow("a..b");
        let told: Vec<String> = builder.errors().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "field `a`: it has two rules, drop and rename",
                "field `a.*`: `*` cannot be renamed: several members would have one name",
                "field `c`: the new name `` must have 1 to 255 bytes",
                "field `a..b`: a name is missing",
            ]
        );
    }
}
