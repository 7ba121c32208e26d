"""Keys and tokens, made anew for each run."""

import base64
import hashlib
import hmac
import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex

from .trouble import Trouble

# Callers that take turns; each has a token of its own.
CALLERS = 64


@dataclass(frozen=True)
class Secrets:
    shared: str
    private: Path
    public: Path
    certificate: Path
    key: Path

    def variables(self) -> dict[str, str]:
        return {
            "JWT_SECRET": self.shared,
            "JWT_PUBLIC_PEM": str(self.public),
            "TLS_CERT": str(self.certificate),
            "TLS_KEY": str(self.key),
        }

    def tokens(self, algorithm: str) -> list[str]:
        """Good for an hour."""
        return [self.token(algorithm, f"caller-{i}", time.time() + 3600) for i in range(CALLERS)]

    def token(self, algorithm: str, subject: str, expires: float) -> str:
        claims = {"iss": "https://login.bench.test", "aud": "bench", "sub": subject, "exp": int(expires)}
        signed = f"{part({'alg': algorithm, 'typ': 'JWT'})}.{part(claims)}"
        return f"{signed}.{encoded(self.signature(algorithm, signed.encode()))}"

    def signature(self, algorithm: str, signed: bytes) -> bytes:
        if algorithm == "HS256":
            return hmac.new(self.shared.encode(), signed, hashlib.sha256).digest()
        return openssl("dgst", "-sha256", "-sign", str(self.private), given=signed)

    def jwk(self, algorithm: str) -> dict:
        """What checks the tokens, as a JSON Web Key."""
        if algorithm == "HS256":
            return {"kty": "oct", "alg": algorithm, "k": encoded(self.shared.encode())}
        modulus = openssl("rsa", "-in", str(self.private), "-modulus", "-noout").decode().strip().partition("=")[2]
        return {"kty": "RSA", "alg": algorithm, "e": "AQAB", "n": encoded(bytes.fromhex(modulus))}


def make(folder: Path) -> Secrets:
    private, public = folder / "jwt.key", folder / "jwt.pem"
    openssl("genrsa", "-out", str(private), "2048")
    openssl("rsa", "-in", str(private), "-pubout", "-out", str(public))
    certificate, key = folder / "tls.crt", folder / "tls.key"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "2"]
    openssl("req", "-x509", *curve, *name, "-keyout", str(key), "-out", str(certificate))
    return Secrets(token_hex(32), private, public, certificate, key)


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    done = subprocess.run(["openssl", *arguments], input=given, capture_output=True)
    if done.returncode:
        raise Trouble(f"openssl {arguments[0]}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def part(value: dict) -> str:
    return encoded(json.dumps(value, separators=(",", ":")).encode())


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
