"""Certificates for tests: an authority, and what it vouches for."""

import datetime
import hashlib
import ipaddress
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Cert:
    """Files in a folder: `cert` and `key`, as PEM. by: who vouches for it;
    None: itself."""

    def __init__(self, folder, name, by=None, hosts=("127.0.0.1", "localhost"),
                 days=(-1, 30), is_ca=False):
        now = datetime.datetime.utcnow()
        self.secret = ec.generate_private_key(ec.SECP256R1())
        self.subject = _name(name)
        builder = x509.CertificateBuilder(
            by.subject if by else self.subject, self.subject,
            self.secret.public_key(), x509.random_serial_number(),
            now + days[0] * DAY, now + days[1] * DAY).add_extension(
                x509.BasicConstraints(is_ca, None), critical=True)
        if not is_ca:
            builder = builder.add_extension(x509.SubjectAlternativeName(
                [_host(h) for h in hosts]), critical=False)
        made = builder.sign((by or self).secret, hashes.SHA256())
        der = made.public_bytes(serialization.Encoding.DER)
        self.print = ":".join("%02X" % b for b in hashlib.sha256(der).digest())
        self.cert = os.path.join(folder, name + ".pem")
        self.key = os.path.join(folder, name + ".key")
        with open(self.cert, "wb") as file:
            file.write(made.public_bytes(serialization.Encoding.PEM))
        with open(self.key, "wb") as file:
            os.chmod(self.key, 0o600)
            file.write(self.secret.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption()))


def _host(text):
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
