package child

import "syscall"

func tieToParent(attr *syscall.SysProcAttr, onDeath syscall.Signal) { attr.Pdeathsig = onDeath }
