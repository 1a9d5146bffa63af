# Print the names that the scheduler knows. $argv: their kind.
function _scheduler_names
  set -l words (commandline -opc) (commandline -ct)
  set -l program $words[1]
  set -l first 2
  if test (string replace -r '.*/' '' -- $words[1]) = manage.py
    set first 3
    set program $words[1] scheduler
    test -n "$_scheduler_script"; and set program $_scheduler_script scheduler
  end
  type -q $program[1]; or return
  command $program names $argv $words[$first..-1] 2>/dev/null </dev/null
end
