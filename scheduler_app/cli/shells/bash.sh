# The names that the scheduler knows, one a line. $1: their kind, $2: what they begin with.
_scheduler_names() {
  local name
  while IFS= read -r name; do
    [[ "$name" == "$2"* ]] && echo "$name"
  done < <("${scheduler_command[@]}" names "$1" "${COMP_WORDS[@]:$scheduler_first}" \
    2>/dev/null </dev/null)
}
_scheduler_jobs() { _scheduler_names jobs "$1"; }
_scheduler_runs() { _scheduler_names runs "$1"; }
_scheduler_active() { _scheduler_names active "$1"; }
_scheduler_unsuccessful() { _scheduler_names unsuccessful "$1"; }
_scheduler_zones() { _scheduler_names zones "$1"; }

# Set `words` to those before the cursor. Bash parts COMP_WORDS at ":" and "=": put together what
# is one word, and make two of --option=value.
_scheduler_words() {
  local line="$COMP_LINE" word i joined=()
  for ((i = 0; i <= COMP_CWORD; i++)); do
    word="${COMP_WORDS[i]}"
    if ((i > 0)) && [[ -n "$line" && "$line" != [[:space:]]* ]]; then
      joined[${#joined[@]}-1]+="$word"
    else
      joined+=("$word")
    fi
    line="${line#"${line%%[![:space:]]*}"}"
    line="${line#"$word"}"
  done
  words=()
  for word in "${joined[@]}"; do
    if [[ "$word" == --*=* ]]; then
      words+=("${word%%=*}" "${word#*=}")
    else
      words+=("$word")
    fi
  done
}

_scheduler_schedulerctl() {
  local words=() scheduler_command scheduler_first=1
  _scheduler_words
  scheduler_command=("${words[0]/#\~/$HOME}")
  local COMP_WORDS=("${words[@]}") COMP_CWORD=$((${#words[@]} - 1))
  _shtab_schedulerctl
}

# `manage.py scheduler ...`, also behind python. Of other commands Django's completion, or another
# that was there before, says what they take.
_scheduler_manage_py() {
  local words=() scheduler_command scheduler_first=2 script=0 i
  _scheduler_words
  for ((i = 0; i < ${#words[@]} - 1; i++)); do
    [[ "${words[i]}" == manage.py || "${words[i]}" == */manage.py ]] && script=$i && break
  done
  if [[ "${words[script]##*/}" == manage.py ]] &&
    ((${#words[@]} - script > 2)) && [[ "${words[script + 1]}" == scheduler ]]; then
    scheduler_command=("${words[@]:0:script + 2}")
    scheduler_command=("${scheduler_command[@]/#\~/$HOME}")
    local COMP_WORDS=(manage.py "${words[@]:script + 1}") COMP_CWORD=$((${#words[@]} - script - 1))
    _shtab_manage_py
    return
  fi
  COMPREPLY=()
  local before
  before="$(_scheduler_before "$1")"
  [[ -n "${!before-}" ]] && "${!before}" "$@"
  if [[ "${words[script]##*/}" == manage.py ]] && ((${#words[@]} - script == 2)) &&
    [[ scheduler == "${words[script + 1]}"* && " ${COMPREPLY[*]} " != *" scheduler "* ]]; then
    COMPREPLY+=(scheduler)
  fi
}

# The name of the variable that keeps which function completed a command before.
_scheduler_before() {
  local name="${1##*/}"
  echo "_scheduler_before_${name//[^[:alnum:]_]/_}"
}

# Keep it, and have ours complete the command $1.
_scheduler_take() {
  local spec
  spec="$(complete -p "$1" 2>/dev/null)"
  if [[ "$spec" =~ -F\ ([^ ]+) && "${BASH_REMATCH[1]}" != _scheduler_manage_py ]]; then
    printf -v "$(_scheduler_before "$1")" %s "${BASH_REMATCH[1]}"
  fi
  complete -o default -F _scheduler_manage_py "$1"
}
