# One state that fails and one that depends on it.
certificate-valid:
  test.fail_without_changes:
    - comment: "certificate /etc/ssl/shop.pem expired 3 days ago"

certificate-deployed:
  test.succeed_with_changes:
    - require:
      - test: certificate-valid
