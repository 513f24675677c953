{# Rendered by the master's reactor for every new job. #}
{% if data['fun'] in @FUNS@ %}
announce:
  local.cmd.run:
    - tgt: master
    - arg:
      - 'python3 @SCRIPT@ "@URL@" "{{ data["user"] }}" "{{ data["fun"] }}" "{{ data["arg"] | join(" ") }}" "{{ data["tgt"] }}"'
{% endif %}
