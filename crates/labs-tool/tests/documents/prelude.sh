# What holds in the shell that runs the commands of a document.

# Jobs have process groups of their own and get SIGINT, as at a terminal.
set -m

# The test looks at commands that failed.
trap 'echo "$? $BASH_COMMAND" >> "$failed"' ERR

# The programs are built before: `cargo build` and `cargo test` only look whether there are such
# programs, and `cargo run` runs one.
cargo() {
  local verb=$1 package program
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do
    if [ "$1" = -p ]; then
      package=$2 program=$PROGRAMS/${2/#labs-tool/labs}
      if [ ! -x "$program" ]; then
        echo "cargo $verb: package $package has no program" >&2
        return 127
      fi
    fi
    shift
  done
  case $verb in
    build) ;;
    test) ;; # This is one of them.
    run) shift && "$program" "$@" ;;
    *) echo "cargo $verb: mark it as not run" >&2 && return 127 ;;
  esac
}
export -f cargo

# A page that is served until Ctrl-C gets it after a second.
labs() {
  case " $* " in
    *" --serve "*) timeout --signal=INT 1 "$PROGRAMS/labs" "$@" ;;
    *) "$PROGRAMS/labs" "$@" ;;
  esac
}
export -f labs
