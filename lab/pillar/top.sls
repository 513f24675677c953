base:
  '*':
    - shop
    - secrets
