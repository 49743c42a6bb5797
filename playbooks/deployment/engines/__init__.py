"""The engines that a playbook can be deployed to."""
