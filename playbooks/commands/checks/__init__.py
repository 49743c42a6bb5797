"""The single checks of ``falco-playbook check``: each looks at one thing and says what it found."""
