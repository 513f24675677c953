{#- Announces a new job in Slack, by `salt-herald announce`. See reactor.conf beside it.

    The command is a list that never reaches a shell. The event goes to its stdin as one line of
    ASCII that no YAML parser can take for anything else, whatever quotes, braces, colons, line
    breaks or bytes the arguments hold.

    A runner does it on the master. That makes no job, so that nothing here is answered by itself;
    what people run by cmd.run on the master's own minion is announced like all else. #}
{%- set herald = ['/usr/bin/salt-herald'] %}
{%- set said = ['state.highstate', 'state.sls', 'state.apply', 'cmd.run'] %}
{%- set fun = data.get('fun', '') %}
{%- if ([fun] if fun is string else fun) | intersect(said) %}
{%- set event = {
      'tgt': data.get('tgt'), 'tgt_type': data.get('tgt_type'), 'fun': fun, 'arg': data.get('arg'),
    } | string %}
announce:
  runner.salt.cmd:
    - args:
      - fun: cmd.run
      - cmd: {{ (herald + ['announce', '--event']) | json }}
      - python_shell: False
      - stdin: {{ event.encode('ascii', 'backslashreplace').decode() | json }}
      - stdin_raw_newlines: True
{%- endif %}
