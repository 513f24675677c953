# Made up; they stand here so that tests can look for them where they should
# never turn up.
db:
  password: lab-db-Passw0rd-5eb1
payments:
  api_key: sk_lab_51H8xQeTotallyMadeUp
