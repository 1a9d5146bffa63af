# Offer the names that the scheduler knows. $1: their kind.
_scheduler_names() {
  local -a found
  found=(${(f)"$("${scheduler_command[@]}" names $1 "${scheduler_words[@]}" 2>/dev/null </dev/null)"})
  compadd -a found
}
_scheduler_jobs() { _scheduler_names jobs }
_scheduler_runs() { _scheduler_names runs }
_scheduler_active() { _scheduler_names active }
_scheduler_unsuccessful() { _scheduler_names unsuccessful }
_scheduler_zones() { _scheduler_names zones }

_scheduler_schedulerctl() {
  local -a scheduler_command=(${(Q)words[1]/#\~/$HOME})
  local -a scheduler_words=("${(@Q)words[2,CURRENT]}")
  _shtab_schedulerctl "$@"
}

# `manage.py scheduler ...`, also behind python. Other commands are those of zsh's own completion.
_scheduler_manage_py() {
  if [[ $words[2] == scheduler ]] && ((CURRENT > 2)); then
    # What is before the script is not in `words`: an interpreter and its options, perhaps.
    local -a line=(${(z)LBUFFER}) scheduler_command
    local -i script=${line[(I)(|*/)manage.py]}
    line=("${(@)line[1,script]}")
    local -i before=${line[(I)(\;|\&|\||\&\&|\|\|)]}
    scheduler_command=("${(@Q)line[before + 1,script]/#\~/$HOME}" scheduler)
    local -a scheduler_words=("${(@Q)words[3,CURRENT]}")
    _shtab_manage_py "$@"
    return
  fi
  if ((CURRENT == 2)); then
    compadd scheduler
  fi
  (($+functions[_django])) && _django "$@"
}
