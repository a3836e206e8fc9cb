"""An Excel 97 workbook, which nothing that is installed here can write; made with xlwt 1.3.

Sheet `問答`: a title merged over A1:C1; the header 類別, 問題, 回答; A3:A4 merged, `退費`; rows of
問一 and the text 04595257, 問二 and the date 2026-01-05, 問三 and the number 3. Sheet `hidden`.
"""

import base64
import zlib

PACKED = """
eNrtWE1IVFEU/u6dN+NMODqaBhqICFqZZH9SLXQqKDc2mmVFRaXNUGKNMbTIgrJsdgZCG4s2hi3aWG36wRDbtQiMWgRB4RSt
WgUFLdTXOee9Z2oTOFCC9b7hnnvvuefce+495/7MezmWNz7woDiFOaiDB1NmAL4ZPEUp4FRCoHbT5KKT+ymZLhYVAn5ypM+L
4eCLLPYh+zsFjfvGM6LAB0qHcQaRznisdAGxXWxoVWxDrTIo9jRuUcpBkdiVL/S40KVC74nsU6FbhXNNaC3JjquDGAtHKjfb
cXxAl0lbDlGFR6LzVjjrUIjnHMeX+pQl68W2RHvrqUXWUGJkYxDk0vpYPJbgehB3eId2EapPV0fHUUDOHsQ3sxT46uzq0VKX
v7B8BeJ/n83P+g3fTy6cy7+uDaAb5jHFoZxENhoMbtGqsWXvhSSF+JCP48KHk+3RaCw+gT1YQu2caFvdPhQ8wYKkfKS/vJmy
xpaGfsre7xMm+oZ7hYkIBc/ajTVbatbXbBJOb0SyQIQi7xx3Z50loVlnSVB2WDbRKHKlnCf7LESTmbj75dWutqbwUeF0y/1h
3TLlPCmYuMwapJwjLV6hHkqVorFa6BXpdbmUi4UWkCTlFU2FdmFnj8hcldYKGmeD4HV4xYzySionP+9+XJL8GF5F5aH61PmC
oTfhAZTRrRclff71oEpVqZs3GE/CTq7s8+id0KJfzia/Dtm2m/ZVmotJcQFoPRgjUuPV4fVheZVGXok8U6vmrKZV01Tz2KPp
NNpatA1b3vKFd7rG2j5b2zNHe4TWw2PbytIe0WUnX9Rc0zT/NWOW3UaakQ2R99vyhozFPv0k66albwcadTofD9lYOsd/YiEi
TE3TxRphKm2E8atNVhXpVtWFCxcuXLhw8X9ByYvLelUb9hubX1VZ9nedSUpT7meSfxbN6KTfWfpTuQNxyhPoyih+lsGrnL7U
PHWc74WM/TR6Ah1oEzs6Mo5fehWrmfOZt2Loz22hTMefysTOvzz+D1RgFFw=
"""
CONTENT = zlib.decompress(base64.b64decode(PACKED))
