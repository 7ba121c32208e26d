//! Files that a document names: keys, certificates, whole texts.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::Section;

impl Section<'_> {
    /// The path that a text names, seen from the folder of the document. Whoever watches the document watches it too.
    pub(crate) fn path(&self, text: &str) -> PathBuf {
        let path = self.context().folder.join(text);
        self.note_file(&path);
        path
    }

    /// The path of a file that this key names and that can be read. What it says is a part of what the document says.
    pub(crate) fn file_at(&mut self, name: &'static str, text: &str) -> Option<PathBuf> {
        self.file(name, text)?;
        Some(self.path(text))
    }

    /// The text of such a file.
    pub(crate) fn file(&mut self, name: &'static str, text: &str) -> Option<String> {
        let read = self.read_file(text).map_err(|error| format!("`{text}` cannot be read: {error}"));
        self.checked(name, read)
    }

    /// The same where the name of the file may be something that nobody should see. At most 1 MiB of it: keys and
    /// certificates are shorter.
    pub(crate) fn read_file(&self, text: &str) -> Result<String, String> {
        let read = read(&self.path(text), LONGEST)?;
        self.note_text(&read);
        Ok(read)
    }
}

/// Reads a text of at most so many bytes.
fn read(path: &Path, longest: u64) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    // One more than is allowed tells that there is more; devices that never end are cut as well.
    file.take(longest + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match text.len() as u64 > longest {
        true => Err(format!("it is longer than {} KiB", longest >> 10)),
        false => Ok(text),
    }
}

const LONGEST: u64 = 1 << 20;
