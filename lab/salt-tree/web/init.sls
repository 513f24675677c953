{% set scratch = grains['lab_scratch'] %}

nginx-config:
  file.managed:
    - name: {{ scratch }}/nginx/nginx.conf
    - source: salt://web/files/nginx.conf
    - template: jinja
    - makedirs: True
    - mode: '0644'

{% for site in pillar['sites'] %}
site-{{ site }}:
  file.managed:
    - name: {{ scratch }}/nginx/sites/{{ site }}.conf
    - source: salt://web/files/site.conf
    - template: jinja
    - makedirs: True
    - context:
        site: {{ site }}
{% endfor %}

app-settings:
  file.managed:
    - name: {{ scratch }}/app/settings.ini
    - source: salt://web/files/settings.ini
    - template: jinja
    - makedirs: True
    - mode: '0600'

nginx-reload:
  cmd.run:
    - name: echo reloaded {{ grains['id'] }} >> {{ scratch }}/nginx/reloads
    - onchanges:
      - file: nginx-config

health-check:
  test.succeed_with_changes:
    - require:
      - file: app-settings
