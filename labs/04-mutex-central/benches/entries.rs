//! Entries per second, against a lock in Redis.

fn main() {}
