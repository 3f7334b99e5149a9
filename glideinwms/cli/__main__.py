from glideinwms.cli.main import main

main()
