//! What some mistakes need to show: options without which the command line refuses them.

/// Added to the option that names a mistake, which is the same in all labs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Needs;

/// The option that names a mistake, and the options that some need.
const OPTION: &str = "broken";
const NEEDS: [(&str, &str); 2] = [("waves-mixed", "initiators"), ("resumes-early", "protocol")];

impl clap::Args for Needs {
    fn augment_args(command: clap::Command) -> clap::Command {
        if command.get_arguments().all(|argument| argument.get_id() != OPTION) {
            return command;
        }
        NEEDS.into_iter().fold(command, |command, (mistake, option)| {
            command.mut_arg(OPTION, |argument| argument.requires_if(mistake, option))
        })
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Needs {
    fn from_arg_matches(_: &clap::ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _: &clap::ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}
