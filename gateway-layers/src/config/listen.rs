//! The parts of the document that say where connections come from: `listen` and `workers`.

use std::{borrow::Cow, io, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use gateway_core::{
    Network,
    server::{Listener, ProxyProtocol},
    tls::{ClientAuth, ServerTls, ServerTlsFiles},
};

use super::{Section, Value, Words, Wrong, value::whole_number};

/// One place where a declared gateway listens.
#[derive(Clone, Debug)]
pub struct Listen {
    address: SocketAddr,
    tls: Option<ServerTls>,
    proxy_protocol: Option<ProxyProtocol>,
}

impl Listen {
    /// The address; port 0 stands for any that is free.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificates that are shown here, which can be read again; `None` where plain text is spoken.
    #[must_use]
    pub fn tls(&self) -> Option<&ServerTls> {
        self.tls.as_ref()
    }

    /// Listens on the address.
    ///
    /// # Errors
    /// As [`Listener::bind`].
    pub fn bind(&self) -> io::Result<Listener> {
        Listener::bind(self.address).map(|listener| self.on(listener))
    }

    /// Does here what is declared for the address.
    pub fn on(&self, listener: impl Into<Listener>) -> Listener {
        let mut listener = listener.into();
        if let Some(tls) = &self.tls {
            listener = listener.tls(tls.clone());
        }
        if let Some(protocol) = &self.proxy_protocol {
            listener = listener.proxy_protocol(protocol.clone());
        }
        listener
    }

    /// What cannot change while somebody listens here.
    pub(super) fn place(&self) -> (SocketAddr, bool, Option<&ProxyProtocol>) {
        (self.address, self.tls.is_some(), self.proxy_protocol.as_ref())
    }

    /// Shows the certificates of another one from now on.
    pub(super) fn follow(&self, next: &Self) {
        if let (Some(tls), Some(next)) = (&self.tls, &next.tls) {
            tls.follow(next);
        }
    }

    fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None, proxy_protocol: None }
    }
}

/// In how many threads a declared gateway serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Workers {
    /// One with a runtime of its own for every CPU that the process may use.
    #[default]
    PerCpu,
    /// So many, each with a runtime of its own.
    Threads(NonZeroUsize),
    /// In the runtime of whoever serves it.
    Shared,
}

/// ```yaml
/// listen: 127.0.0.1:8080          # or a list of addresses and of maps:
/// listen:
///   - 127.0.0.1:8080
///   - address: 0.0.0.0:8443
///     tls:
///       certificates:             # the first is also for clients that ask for no name, or one that nobody has
///         - {certificate: api.pem, key: api.key}
///         - {certificate: other.pem, key: other.key, names: ["*.example.org"]}   # default: the names in it
///       refuse_unknown_names: false
///       client_ca: clients.pem    # default: clients show no certificate
///       client_auth: required     # required | optional
///     proxy_protocol:
///       from: [10.0.0.0/8]
///       mode: required            # required | optional
/// ```
pub(super) fn listen(section: &mut Section<'_>) -> Vec<Listen> {
    let mut all: Vec<Listen> = Vec::new();
    section.list("listen", |item| {
        let listen = item.either::<SocketAddr, _>(|address| Some(Listen::plain(address)), long)?;
        let taken = |other: &Listen| other.address == listen.address && listen.address.port() != 0;
        if all.iter().any(taken) {
            item.fail("the same address is listened on twice");
        }
        all.push(listen);
        Some(())
    });
    if !section.has("listen") {
        // Only this machine: what the world may reach is a decision.
        all.push(Listen::plain(SocketAddr::from(([127, 0, 0, 1], 8080))));
    }
    if all.is_empty() {
        section.fail("listen", "there is nothing to listen on");
    }
    all
}

fn long(section: &mut Section<'_>) -> Option<Listen> {
    let address = section.required("address");
    let tls = section.section("tls", tls);
    let proxy_protocol = section.section("proxy_protocol", proxy_protocol);
    Some(Listen { address: address?, tls, proxy_protocol })
}

fn tls(section: &mut Section<'_>) -> Option<ServerTls> {
    section.demand("certificates");
    let mut wanted = 0;
    let certificates = section.sections("certificates", |section| {
        wanted += 1;
        certificate(section)
    });
    let refuse_unknown = section.or("refuse_unknown_names", false);
    let authorities = section.optional::<String>("client_ca");
    let auth = section.optional::<ClientAuth>("client_auth");
    if section.has("client_auth") && !section.has("client_ca") {
        section
            .fail("client_auth", "who signs the certificates of clients is not said; it needs `client_ca`");
    }
    // Of those that are not whole it is told already.
    if certificates.len() < wanted {
        return None;
    }
    let mut files = ServerTlsFiles::new().refuse_unknown_names(refuse_unknown);
    for (chain, key, names) in certificates {
        files = files.certificate(chain, key, names);
    }
    let certificates_only = section.checked("certificates", ServerTls::from_files(files.clone()));
    match authorities {
        // The certificates are told first; without them nothing is known about the authorities.
        Some(authorities) => {
            certificates_only?;
            let authorities = section.file_at("client_ca", &authorities)?;
            let files = files.clients(authorities, auth.unwrap_or(ClientAuth::Required));
            section.checked("client_ca", ServerTls::from_files(files))
        }
        None => certificates_only,
    }
}

/// The names of its two files, after they were read, and the names that it is for.
fn certificate(section: &mut Section<'_>) -> Option<(PathBuf, PathBuf, Vec<String>)> {
    let chain =
        section.required::<String>("certificate").and_then(|name| section.file_at("certificate", &name));
    let key = section.required::<String>("key").and_then(|name| section.file_at("key", &name));
    let names = section.or("names", Vec::<String>::new());
    Some((chain?, key?, names))
}

fn proxy_protocol(section: &mut Section<'_>) -> Option<ProxyProtocol> {
    let from = section.required::<Vec<Network>>("from");
    let mode = section.or("mode", HeaderMode::Required);
    Some(match mode {
        HeaderMode::Required => ProxyProtocol::required(from?),
        HeaderMode::Optional => ProxyProtocol::optional(from?),
    })
}

#[derive(Clone, Copy)]
enum HeaderMode {
    Required,
    Optional,
}

impl Words for HeaderMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("required", Self::Required), ("optional", Self::Optional)];
}

impl Words for ClientAuth {
    const WORDS: &'static [(&'static str, Self)] =
        &[("required", Self::Required), ("optional", Self::Optional)];
}

/// `workers: 4`, `workers: per_cpu` or `workers: shared`.
impl Value for Workers {
    fn wanted() -> Cow<'static, str> {
        "a number of threads from 1 to 1024, per_cpu or shared".into()
    }

    fn parse(text: &str) -> Result<Self, Wrong> {
        match text {
            "per_cpu" => Ok(Self::PerCpu),
            "shared" => Ok(Self::Shared),
            number => {
                let number = whole_number::<NonZeroUsize>(number)?;
                match number.get() <= MOST_WORKERS {
                    true => Ok(Self::Threads(number)),
                    false => Err(Wrong::because("it is too large")),
                }
            }
        }
    }
}

/// More than any machine has CPUs for; each has a stack, a queue and timers of its own.
const MOST_WORKERS: usize = 1024;

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::config::{Context, Problems, Source, read};

    /// Certificates and keys in a directory of their own, until it is dropped.
    struct Files(PathBuf);

    impl Files {
        fn new(name: &str) -> Self {
            let directory =
                std::env::temp_dir().join(format!("gateway-listen-{name}-{}", std::process::id()));
            fs::create_dir_all(&directory).unwrap();
            let files = Self(directory);
            for name in ["a", "b"] {
                let made = rcgen::generate_simple_self_signed([format!("{name}.test")]).unwrap();
                files.write(&format!("{name}.pem"), &made.cert.pem());
                files.write(&format!("{name}.key"), &made.signing_key.serialize_pem());
            }
            files.write("none.pem", "nothing");
            files
        }

        fn write(&self, name: &str, text: &str) {
            fs::write(self.0.join(name), text).unwrap();
        }

        /// What a document says, with `DIR` for the directory.
        fn read(&self, text: &str) -> Result<(Vec<Listen>, Workers), Problems> {
            let text = text.replace("DIR", self.0.to_str().unwrap());
            let source = Source { name: "g.yaml", text: &text };
            read(
                source,
                |_| None,
                &Context::default(),
                |section| Some((listen(section), section.or("workers", Workers::default()))),
            )
        }

        /// The problems, without the directory.
        fn problems(&self, text: &str) -> String {
            self.read(text).unwrap_err().to_string().replace(self.0.to_str().unwrap(), "DIR")
        }
    }

    impl Drop for Files {
        fn drop(&mut self) {
            drop(fs::remove_dir_all(&self.0));
        }
    }

    #[test]
    fn one_address_a_list_or_nothing() {
        let files = Files::new("good");
        let (all, workers) = files.read("{}").unwrap();
        assert_eq!((all.len(), all[0].address().to_string()), (1, "127.0.0.1:8080".to_owned()));
        assert_eq!(workers, Workers::PerCpu);
        let (all, workers) = files.read("listen: 10.0.0.1:80\nworkers: 3").unwrap();
        assert_eq!((all.len(), workers), (1, Workers::Threads(NonZeroUsize::new(3).unwrap())));
        let text = "
workers: shared
listen:
  - 127.0.0.1:0
  - address: 127.0.0.1:0
    tls:
      certificates:
        - {certificate: DIR/a.pem, key: DIR/a.key}
        - {certificate: DIR/b.pem, key: DIR/b.key, names: ['*.b.test']}
      refuse_unknown_names: true
      client_ca: DIR/b.pem
      client_auth: optional
    proxy_protocol: {from: [10.0.0.0/8], mode: optional}
";
        let (all, workers) = files.read(text).unwrap();
        assert_eq!(workers, Workers::Shared);
        assert_eq!(all.iter().map(|listen| listen.tls().is_some()).collect::<Vec<_>>(), [false, true]);
        assert!(all[1].proxy_protocol.is_some());
    }

    #[test]
    fn mistakes_are_told_with_their_place_and_their_file() {
        let files = Files::new("bad");
        let tls =
            |rest: &str| format!("listen:\n  - address: 127.0.0.1:0\n    tls: {{certificates: {rest}}}\n");
        let a = "[{certificate: DIR/a.pem, key: DIR/a.key}]";
        for (text, expected) in [
            (
                tls("[{certificate: DIR/a.pem, key: DIR/b.key}]"),
                "3:25: listen[0].tls.certificates: DIR/a.pem with DIR/b.key: the key does not fit the certificate",
            ),
            (
                tls("[{certificate: DIR/none.pem, key: DIR/a.key}]"),
                "certificate: there is no `BEGIN CERTIFICATE` in it",
            ),
            (
                tls("[{certificate: DIR/a.pem, key: DIR/a.pem}]"),
                "key: there is no readable `BEGIN PRIVATE KEY` in it",
            ),
            (
                tls("[{certificate: DIR/missing.pem, key: DIR/a.key}]"),
                "certificate: `DIR/missing.pem` cannot be read: No such file",
            ),
            (tls("[{certificate: DIR/a.pem, key: DIR/a.key, names: ['a b']}]"), "`a b` is no DNS name"),
            (tls("[]"), "a server needs a certificate"),
            (
                tls(&format!("{a}, client_ca: DIR/none.pem")),
                "listen[0].tls.client_ca: client CA: there is no `BEGIN CERTIFICATE` in it",
            ),
            (
                tls(&format!("{a}, client_ca: DIR/gone.pem")),
                "listen[0].tls.client_ca: `DIR/gone.pem` cannot be read: No such file",
            ),
            (tls(&format!("{a}, client_auth: optional")), "it needs `client_ca`"),
            (tls(&format!("{a}, client_ca: DIR/b.pem, client_auth: optionl")), "did you mean `optional`?"),
            (
                "listen: [127.0.0.1:80, 127.0.0.1:80]".to_owned(),
                "listen[1]: the same address is listened on twice",
            ),
            ("listen: [{address: 127.0.0.1:0, tls: {}}]".to_owned(), "`certificates` is missing"),
            (
                "listen: [{address: 127.0.0.1:0, proxy_protocol: {from: [everyone]}}]".to_owned(),
                "expected a network such as",
            ),
            ("listen: [{address: 127.0.0.1:0, proxy_protocol: {}}]".to_owned(), "`from` is missing"),
            ("listen: [{adress: 127.0.0.1:0}]".to_owned(), "did you mean `address`?"),
            ("listen: []".to_owned(), "there is nothing to listen on"),
            ("workers: 0".to_owned(), "expected a number of threads from 1 to 1024"),
            ("workers: 2000".to_owned(), "expected a number of threads from 1 to 1024"),
            ("workers: many".to_owned(), "expected a number of threads from 1 to 1024"),
        ] {
            let said = files.problems(&text);
            assert!(said.contains(expected), "{text}\n{said}");
        }
    }
}
