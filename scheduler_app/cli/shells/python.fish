# Other commands of manage.py take what they took before.
complete -c manage.py -F -n "not __fish_seen_subcommand_from scheduler"

# `python manage.py scheduler ...` is completed as `manage.py scheduler ...` is.
function _scheduler_behind_python
  set -l words (commandline -opc)
  test (count $words) -ge 3; or return 1
  set -l place (contains -i -- manage.py (string replace -r '.*/' '' -- $words)); or return 1
  test "$words["(math $place + 1)"]" = scheduler
end

function _scheduler_complete_behind_python
  set -l words (commandline -opc)
  set -l place (contains -i -- manage.py (string replace -r '.*/' '' -- $words))
  set -g _scheduler_script $words[1..$place]
  set -l rest (string escape -- $words[(math $place + 1)..-1])
  complete -C "manage.py "(string join ' ' -- $rest)" "(commandline -ct)
  set -e _scheduler_script
end

for python in python python3
  complete -c $python -n _scheduler_behind_python -f -a '(_scheduler_complete_behind_python)'
end
