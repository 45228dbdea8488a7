//! The `tracehouse` command.

fn main() -> std::process::ExitCode {
    tracehouse_cli::main()
}
