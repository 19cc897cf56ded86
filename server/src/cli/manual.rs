//! Shell completions and man pages, from the definition of the command line itself.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::CliError;

/// Print a shell's completion script
#[derive(clap::Args)]
pub struct CompleteArgs {
    /// The shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

impl CompleteArgs {
    pub fn run(self, mut command: clap::Command) -> Result<(), CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, "hookcast", &mut script);
        std::io::stdout()
            .write_all(&script)
            .map_err(|_| CliError::OutputClosed)
    }
}

/// Write man pages, one per subcommand
#[derive(clap::Args)]
pub struct ManArgs {
    /// The directory to write into
    dir: PathBuf,
}

impl ManArgs {
    pub fn run(self, command: clap::Command) -> Result<(), CliError> {
        let io = |e| CliError::failed(format!("cannot write man pages to {}: {e}", self.dir.display()));
        std::fs::create_dir_all(&self.dir).map_err(io)?;
        write_pages(command, "hookcast", &self.dir).map_err(io)
    }
}

fn write_pages(command: clap::Command, name: &str, dir: &Path) -> std::io::Result<()> {
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        write_pages(sub.clone(), &format!("{name}-{}", sub.get_name()), dir)?;
    }
    let mut page = Vec::new();
    // clap wants a name that lives as long as the program; a page's name lives as long as this process.
    let title: &'static str = Box::leak(name.to_owned().into_boxed_str());
    clap_mangen::Man::new(command.name(title)).render(&mut page)?;
    std::fs::write(dir.join(format!("{name}.1")), page)
}
