//! How a checkpoint comes to the disk whole or not at all: see [`labs::files`], by whose steps this lab's tests die.

pub use labs::files::{
    Disk, LocalDisk, UNFINISHED, replace as write_whole, replace_by_way_of as write_whole_by_way_of,
};
