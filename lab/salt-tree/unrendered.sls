# Never renders: the template asks for a key that is nowhere.
greeting:
  test.succeed_without_changes:
    - name: {{ pillar['no']['such']['key'] }}
