{% set scratch = grains['lab_scratch'] %}

postgresql-config:
  file.managed:
    - name: {{ scratch }}/postgresql/postgresql.conf
    - makedirs: True
    - contents: |
        max_connections = {{ pillar.get('max_connections', 200) }}
        shared_buffers = 2GB

shop-role:
  cmd.run:
    - name: echo "ALTER ROLE shop PASSWORD '{{ pillar['db']['password'] }}'" > {{ scratch }}/postgresql/role.sql
    - unless: test -f {{ scratch }}/postgresql/role.sql
    - require:
      - file: postgresql-config
