"""A certificate for this machine that no authority but itself vouches for."""
import subprocess

from support import Missing, expect
import shutil


def self_signed(folder, name):
    """The paths of the certificate, which is its own authority, and of its key."""
    if shutil.which("openssl") is None:
        raise Missing("openssl")
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    done = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                           "-days", "30", "-subj", f"/CN={name}", "-addext",
                           "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", str(key), "-out", str(made)],
                          capture_output=True, text=True)
    expect(done.returncode == 0, done.stderr)
    return made, key
