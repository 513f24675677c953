sites:
  - shop.example.com
  - www.example.com
  - api.example.com
workers: 4
