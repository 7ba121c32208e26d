use std::{fmt, str::FromStr};

/// Which members of a JSON document are meant: names with dots between them, from the outside in.
///
/// | written | means |
/// | --- | --- |
/// | `card.number` | the member `number` of the member `card` of the document |
/// | `card.*` | every member of `card` |
/// | `**.password` | the member `password`, however deep |
/// | `shop.**.token` | the member `token` anywhere in `shop` |
/// | `a\.b` | the member whose name is `a.b`; a backslash takes any character as it is |
///
/// Arrays are gone through by themselves: `items.price` is the price of each item. Names are compared exactly, after
/// the escapes of JSON are undone: `"\u0070assword"` is `password`, `Password` is not.
///
/// ```
/// use gateway_layers::json::Field;
///
/// assert!("**.password".parse::<Field>().is_ok());
/// let error = "$.items[0].price".parse::<Field>().unwrap_err();
/// assert_eq!(error.to_string(), "field `$.items[0].price`: names begin at the document by themselves, without `$`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    /// The member of this name.
    Name(String),
    /// Any member.
    Any,
    /// Any number of levels, or none.
    Deep,
}

impl Field {
    /// The longest name, in bytes. Longer names are read past in constant memory, and no field can mean them.
    pub const MAX_NAME: usize = 255;

    /// The most names.
    pub const MAX_STEPS: usize = 32;

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The member of another name beside this one.
    pub(super) fn sibling(&self, name: &str) -> Vec<Step> {
        let mut steps = self.steps.clone();
        steps.pop();
        steps.push(Step::Name(name.to_owned()));
        steps
    }

    /// Whether the last name is written out.
    pub(super) fn ends_in_a_name(&self) -> bool {
        matches!(self.steps.last(), Some(Step::Name(_)))
    }
}

impl FromStr for Field {
    type Err = FieldError;

    fn from_str(text: &str) -> Result<Self, FieldError> {
        let wrong = |reason: &str| FieldError { field: text.to_owned(), reason: reason.to_owned() };
        let mut steps = Vec::new();
        let mut name = Written::default();
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            match character {
                '.' => steps.push(std::mem::take(&mut name).step().map_err(wrong)?),
                '\\' => {
                    let taken = characters.next().ok_or_else(|| wrong("it ends in a backslash"))?;
                    name.push(taken, true);
                }
                '$' if steps.is_empty() && name.text.is_empty() => {
                    return Err(wrong("names begin at the document by themselves, without `$`"));
                }
                '[' | ']' => {
                    return Err(wrong(
                        "arrays are gone through by themselves, so a field has no brackets; a name has them as `\\[`",
                    ));
                }
                other => name.push(other, false),
            }
        }
        steps.push(name.step().map_err(wrong)?);
        if steps.len() > Self::MAX_STEPS {
            return Err(wrong("it has more than 32 names"));
        }
        if steps.last() == Some(&Step::Deep) {
            return Err(wrong("a name must follow `**`; `*` means every member"));
        }
        // Two of them mean what one means.
        steps.dedup_by(|next, step| *next == Step::Deep && *step == Step::Deep);
        Ok(Self { text: text.to_owned(), steps })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that is no field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub(super) field: String,
    pub(super) reason: String,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "field `{}`: {}", self.field, self.reason)
    }
}

impl std::error::Error for FieldError {}

/// One name as it is written, until the next dot.
#[derive(Default)]
struct Written {
    text: String,
    /// How many of its characters are `*` without a backslash.
    stars: usize,
}

impl Written {
    fn push(&mut self, character: char, escaped: bool) {
        self.stars += usize::from(character == '*' && !escaped);
        self.text.push(character);
    }

    fn step(self) -> Result<Step, &'static str> {
        match (self.text.len(), self.stars) {
            (0, _) => Err("a name is missing"),
            (length, _) if length > Field::MAX_NAME => Err("a name is longer than 255 bytes"),
            (_, 0) => Ok(Step::Name(self.text)),
            (1, 1) => Ok(Step::Any),
            (2, 2) => Ok(Step::Deep),
            _ => Err("`*` and `**` stand alone for whole names; a star in a name is written `\\*`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stars_and_backslashes() {
        let steps = |text: &str| text.parse::<Field>().map(|field| field.steps);
        let name = |text: &str| Step::Name(text.to_owned());
        assert_eq!(steps("a.b"), Ok(vec![name("a"), name("b")]));
        assert_eq!(steps("**.a.*"), Ok(vec![Step::Deep, name("a"), Step::Any]));
        assert_eq!(steps("**.**.a"), Ok(vec![Step::Deep, name("a")]));
        assert_eq!(steps(r"a\.b.\*.\\.\$.\[0\]"), Ok(["a.b", "*", "\\", "$", "[0]"].map(name).to_vec()));
        assert_eq!(steps("a$b"), Ok(vec![name("a$b")]));
        assert_eq!(steps("ä b"), Ok(vec![name("ä b")]));
    }

    #[test]
    fn says_what_is_wrong() {
        let long = "x".repeat(256);
        let deep = "a.".repeat(32) + "a";
        for (text, told) in [
            ("", "a name is missing"),
            ("a..b", "a name is missing"),
            ("a.", "a name is missing"),
            ("$.a", "without `$`"),
            ("a[*].b", "brackets"),
            ("pass*", "stand alone"),
            ("a.**", "a name must follow"),
            ("a\\", "backslash"),
            (&long, "255 bytes"),
            (&deep, "32 names"),
        ] {
            let error = text.parse::<Field>().unwrap_err().to_string();
            assert!(error.contains(told) && error.contains(text), "{error}");
        }
    }
}
