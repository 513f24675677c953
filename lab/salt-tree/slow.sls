# Takes as long as pillar says: lets two runs meet on one minion.
wait-for-drain:
  cmd.run:
    - name: sleep {{ pillar.get('seconds', 5) }}
