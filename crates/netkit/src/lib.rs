//! Framed TCP and UDP, SSH launching, daemons and logs.
