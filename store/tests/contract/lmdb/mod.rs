//! What only LMDB promises: several processes, sudden death, full disks, and directories that are not its own.

mod backup;
mod disk;
mod killed;
mod opening;
mod processes;
mod restore;
mod stopped;
