use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{Certificate, ClientAuth, ServerTlsSettings, TlsConfigError};

/// The files that hold a server's certificates. They are read whole, each at most 1 MiB.
#[derive(Clone, Debug, Default)]
pub struct ServerTlsFiles {
    certificates: Vec<CertificateFiles>,
    refuse_unknown_names: bool,
    clients: Option<(PathBuf, ClientAuth)>,
}

#[derive(Clone, Debug)]
struct CertificateFiles {
    chain: PathBuf,
    key: PathBuf,
    names: Vec<String>,
}

impl ServerTlsFiles {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A certificate: the PEM files of its chain and of its key, and the names that it is shown for, if they are
    /// not those in it. See [`ServerTlsSettings::new`].
    #[must_use]
    pub fn certificate(
        mut self,
        chain: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        names: impl IntoIterator<Item = String>,
    ) -> Self {
        let (chain, key, names) = (chain.into(), key.into(), names.into_iter().collect());
        self.certificates.push(CertificateFiles { chain, key, names });
        self
    }

    /// See [`ServerTlsSettings::refuse_unknown_names`].
    #[must_use]
    pub fn refuse_unknown_names(mut self, refuse: bool) -> Self {
        self.refuse_unknown_names = refuse;
        self
    }

    /// The PEM file of the authorities that sign the certificates of clients.
    #[must_use]
    pub fn clients(mut self, authorities: impl Into<PathBuf>, auth: ClientAuth) -> Self {
        self.clients = Some((authorities.into(), auth));
        self
    }

    /// Reads them, or says which one cannot be used and why.
    ///
    /// # Errors
    /// When a file cannot be read, or holds something else than it should.
    pub fn read(&self) -> Result<ServerTlsSettings, TlsConfigError> {
        let certificates: Result<Vec<_>, _> = self.certificates.iter().map(CertificateFiles::read).collect();
        let settings = ServerTlsSettings::new(certificates?).refuse_unknown_names(self.refuse_unknown_names);
        Ok(match &self.clients {
            Some((authorities, auth)) => settings.clients(&contents(authorities)?, *auth),
            None => settings,
        })
    }
}

impl CertificateFiles {
    fn read(&self) -> Result<Certificate, TlsConfigError> {
        let (chain, key) = (contents(&self.chain)?, contents(&self.key)?);
        let made = Certificate::from_pem(&chain, &key);
        let named = made.and_then(|made| match self.names.is_empty() {
            true => Ok(made),
            false => made.named(self.names.iter().cloned()),
        });
        named.map_err(|error| {
            TlsConfigError(format!("{} with {}: {error}", self.chain.display(), self.key.display()))
        })
    }
}

fn contents(path: &Path) -> Result<Vec<u8>, TlsConfigError> {
    let mut contents = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut contents));
    match read {
        Err(error) => Err(TlsConfigError(format!("{}: {error}", path.display()))),
        Ok(_) if contents.len() as u64 > LARGEST => {
            Err(TlsConfigError(format!("{}: it is larger than 1 MiB", path.display())))
        }
        Ok(_) => Ok(contents),
    }
}

/// More than any chain or bundle of authorities, and a device file cannot fill the memory.
const LARGEST: u64 = 1024 * 1024;
