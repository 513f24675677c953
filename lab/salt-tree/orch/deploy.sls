# salt-run state.orchestrate orch.deploy pillar='{"build": "1.4.2"}'
drain:
  salt.function:
    - name: test.arg
    - tgt: 'web*'
    - arg:
      - drained

databases:
  salt.state:
    - tgt: 'roles:db'
    - tgt_type: grain
    - sls:
      - db

webservers:
  salt.state:
    - tgt: 'web1,web2'
    - tgt_type: list
    - sls:
      - web
    - pillar:
        build: {{ pillar.get('build', 'none') }}
    - require:
      - salt: databases

smoke-test:
  salt.function:
    - name: cmd.run
    - tgt: web1
    - arg:
      - echo HTTP/1.1 200 OK
    - require:
      - salt: webservers
