//! The `tracehouse` command.

/// Gives memory back to the system: an import's threads free what others allocated.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    tracehouse_cli::main()
}
