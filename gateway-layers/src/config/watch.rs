//! [`Watch`]: when files have changed and are whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

/// Tells when files that are looked at now and then have changed and should be read.
///
/// A change counts once nothing else changed for [`QUIET`](Self::QUIET): a file that is being written, or a folder in
/// which several files are replaced, is read when that is over. A change that is taken back is none. A file that never
/// rests is not read until it does.
///
/// ```
/// use gateway_layers::config::{Seen, Watch};
/// use std::time::{Duration, Instant};
///
/// let (file, start) = ("/no/such/gateway.yaml", Instant::now());
/// let mut watch = Watch::new(Seen::of([file]));
/// assert!(!watch.look(Seen::of([file]), start), "it is still not there");
/// ```
#[derive(Debug)]
pub struct Watch {
    /// As they were just before they were read.
    read: Seen,
    /// As they are now, and since when.
    next: Option<(Seen, Instant)>,
}

impl Watch {
    /// How long nothing may change before a change counts: less than the time between two looks of half a second.
    pub const QUIET: Duration = Duration::from_millis(400);

    /// Files that were seen so just before they were read. It must not be after: a change in between would never be
    /// noticed.
    #[must_use]
    pub fn new(seen: Seen) -> Self {
        Self { read: seen, next: None }
    }

    /// Takes what is seen now. Returns whether to read the files now; then it counts as seen before that.
    ///
    /// More or other files than before are a change too, so that what was found out by reading is read once more: nobody
    /// knows whether it changed between the reading and the first look.
    pub fn look(&mut self, seen: Seen, now: Instant) -> bool {
        if seen == self.read {
            self.next = None;
            return false;
        }
        match &self.next {
            Some((next, since)) if *next == seen => {
                let rests = now.saturating_duration_since(*since) >= Self::QUIET;
                if rests {
                    *self = Self::new(seen);
                }
                rests
            }
            _ => {
                self.next = Some((seen, now));
                false
            }
        }
    }
}

/// What files look like from outside, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(Vec<(PathBuf, Option<Stamp>)>);

impl Seen {
    /// Looks at these files, without reading them. Links are followed.
    pub fn of(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Self {
        let look = |path: &Path| (path.to_owned(), Stamp::of(path).ok());
        Self(paths.into_iter().map(|path| look(path.as_ref())).collect())
    }
}

/// Whatever becomes different when a file is written, replaced or reached by another link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
    /// Its device, its number there, and when that was last changed: also copies that keep the time are noticed.
    identity: (u64, u64, i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> io::Result<Self> {
        let data = fs::metadata(path)?;
        Ok(Self { modified: data.modified().ok(), length: data.len(), identity: identity(&data) })
    }
}

#[cfg(unix)]
fn identity(data: &fs::Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (data.dev(), data.ino(), data.ctime(), data.ctime_nsec())
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata) -> (u64, u64, i64, i64) {
    (0, 0, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One file with this length; 0 is not there.
    fn file(length: u64) -> Seen {
        let stamp = Stamp { modified: None, length, identity: (0, 0, 0, 0) };
        Seen(vec![("a".into(), (length > 0).then_some(stamp))])
    }

    /// At which looks, half a second apart, it is read.
    fn read_at(looks: &[Seen]) -> Vec<usize> {
        let start = gateway_core::Clock::default().now();
        let mut watch = Watch::new(file(1));
        let mut read = |index: usize, seen: &Seen| {
            watch.look(seen.clone(), start + Duration::from_millis(500) * u32::try_from(index).unwrap())
        };
        looks.iter().enumerate().filter(|&(index, seen)| read(index, seen)).map(|(index, _)| index).collect()
    }

    #[test]
    fn a_change_is_read_once_when_it_rests() {
        assert_eq!(read_at(&[1, 1, 1].map(file)), [0; 0]);
        assert_eq!(read_at(&[1, 2, 2, 2, 2].map(file)), [2]);
        assert_eq!(read_at(&[2, 3, 4, 5, 5, 5].map(file)), [4], "while it grows it is left alone");
        assert_eq!(read_at(&[2, 2, 3, 3].map(file)), [1, 3]);
        assert_eq!(read_at(&[0, 1, 1].map(file)), [0; 0], "gone for a moment, as in a replacement");
        assert_eq!(read_at(&[0, 0, 1, 1].map(file)), [1, 3], "gone for longer is a change");
        assert_eq!(read_at(&[2, 1, 2, 1, 2].map(file)), [0; 0]);
    }

    #[test]
    fn other_files_are_a_change() {
        let two = Seen([file(1).0, file(1).0].concat());
        assert_eq!(read_at(&[two.clone(), two.clone(), two]), [1]);
    }

    #[test]
    fn looks_that_follow_each_other_closely_are_no_rest() {
        let start = gateway_core::Clock::default().now();
        let mut watch = Watch::new(file(1));
        let mut at = |millis| watch.look(file(2), start + Duration::from_millis(millis));
        assert_eq!([0, 10, 399, 400, 800].map(&mut at), [false, false, false, true, false]);
    }

    #[cfg(unix)]
    #[test]
    fn every_way_to_replace_a_file_is_seen() {
        let folder = std::env::temp_dir().join(format!("gateway-watch-{}", std::process::id()));
        fs::create_dir_all(folder.join("old")).unwrap();
        fs::create_dir_all(folder.join("new")).unwrap();
        let (link, file) = (folder.join("now"), folder.join("now/a"));
        std::os::unix::fs::symlink(folder.join("old"), &link).unwrap();
        let mut before = Seen::of([&file]);
        let mut differs = |why: &str| {
            let seen = Seen::of([&file]);
            assert_ne!(seen, before, "{why}");
            assert_eq!(seen, Seen::of([&file]));
            before = seen;
        };
        fs::write(folder.join("old/a"), "one").unwrap();
        differs("it is there");
        fs::write(folder.join("b"), "two").unwrap();
        fs::rename(folder.join("b"), folder.join("old/a")).unwrap();
        differs("replaced by one of the same length");
        fs::copy(folder.join("old/a"), folder.join("new/a")).unwrap();
        std::os::unix::fs::symlink(folder.join("new"), folder.join("next")).unwrap();
        fs::rename(folder.join("next"), &link).unwrap();
        differs("a link on the way leads elsewhere");
        fs::write(folder.join("new/a"), "longer").unwrap();
        differs("written in place");
        fs::remove_file(folder.join("new/a")).unwrap();
        differs("gone");
        fs::remove_dir_all(&folder).unwrap();
    }
}
