# What every minion gets.  Everything is written below the minion's scratch
# folder, so that no state touches the machine.  With pillar={'seconds': 20} it
# takes so long that something can happen meanwhile.
{% set scratch = grains['lab_scratch'] %}

{% if pillar.get('seconds') %}
include:
  - slow
{% endif %}

{{ scratch }}/etc/motd:
  file.managed:
    - makedirs: True
    - contents: |
        This is {{ grains['id'] }}, managed by Salt.
        Roles: {{ grains['roles'] | join(', ') }}

timezone-set:
  test.succeed_without_changes:
    - name: Europe/Berlin

audit-rules-loaded:
  test.succeed_with_changes:
    - comment: 12 rules loaded
